import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffShard, type ListedEntry, type ShardLine, type StoredEntry } from './diff.ts';
import type { Kvnr } from './kvnr.ts';

const listed = (patientRef: string, contentHash: string): ListedEntry => ({
  patientRef,
  contentHash,
  kvnr: 'A123456780' as Kvnr,
  body: `{"hash":"${contentHash}"}`,
});
const stored = (patientRef: string, contentHash: string, listId = 'yesterday', as: 'new' | 'changed' = 'new') => ({
  patientRef,
  contentHash,
  listed: { listId, as },
});
const diffListed = async (lines: readonly ShardLine[], of: readonly StoredEntry[], listId: string) =>
  await diffShard(lines, { stored: of, unlisted: [] }, { listId });
const refs = (entries: readonly { patientRef: string }[]) => entries.map(({ patientRef }) => patientRef);

test('new, changed, unchanged and gone patients are counted', async () => {
  const diff = await diffListed(
    [listed('new', '1'), listed('changed', '2'), listed('same', '3')],
    [stored('changed', '0'), stored('same', '3'), stored('gone', '4')],
    'today',
  );
  expect([refs(diff.new), refs(diff.changed), refs(diff.gone)]).toEqual([['new'], ['changed'], ['gone']]);
  expect(diff.counts).toEqual({
    listed: 3,
    new: 1,
    changed: 1,
    unchanged: 1,
    gone: 1,
    stored: 3,
    goneProvisional: 0,
    duplicates: 0,
  });
});

test('a person with only a quarantined entry is neither gone nor changed; a person who also has a valid entry is listed', async () => {
  const lines: ShardLine[] = [
    { patientRef: 'anna', quarantined: true },
    { patientRef: 'ben', quarantined: true },
    listed('ben', '2'),
    { patientRef: 'unknown', quarantined: true },
  ];
  const diff = await diffListed(lines, [stored('anna', '1'), stored('ben', '1')], 'today');
  expect([refs(diff.new), refs(diff.changed), refs(diff.gone)]).toEqual([[], ['ben'], []]);
  expect(diff.counts).toMatchObject({ listed: 1, changed: 1, stored: 2 });
});

test('of a person’s different entries, the stored one wins; otherwise the choice is always the same', async () => {
  const lines = [listed('anna', '3'), listed('anna', '1'), listed('anna', '2'), listed('anna', '1')];
  for (const order of [lines, lines.toReversed()]) {
    expect((await diffListed(order, [stored('anna', '2')], 'today')).counts).toMatchObject({
      unchanged: 1,
      changed: 0,
      duplicates: 3,
    });
    expect((await diffListed(order, [stored('anna', '9')], 'today')).changed).toEqual([listed('anna', '1')]);
    expect((await diffListed(order, [], 'today')).new).toEqual([listed('anna', '1')]);
  }
});

test('somebody who is not listed yet counts as new once a list has them, and never as stored or gone', async () => {
  const unlisted = [
    { patientRef: 'inquiry' },
    { patientRef: 'listed inquiry' },
    { patientRef: 'listed provisional', careVersion: '5' },
    { patientRef: 'provisional', careVersion: '5' },
    { patientRef: 'quarantined', careVersion: '5' },
  ];
  const lines: ShardLine[] = [
    listed('listed inquiry', '1'),
    listed('listed provisional', '1'),
    { patientRef: 'quarantined', quarantined: true },
  ];
  const diffAt = async (fetchOrder?: string) =>
    await diffShard(lines, { stored: [stored('gone', '1')], unlisted }, { listId: 'today', fetchOrder });
  const diff = await diffAt('6');
  expect(refs(diff.new)).toEqual(['listed inquiry', 'listed provisional']);
  expect([refs(diff.gone), refs(diff.goneProvisional)]).toEqual([['gone'], ['provisional']]);
  expect(diff.counts).toMatchObject({ new: 2, gone: 1, stored: 1, goneProvisional: 1 });
  for (const older of ['4', undefined]) expect((await diffAt(older)).goneProvisional).toEqual([]);
});

const ref = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const hash = fc.constantFrom('1', '2', '3');
const line: fc.Arbitrary<ShardLine> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(ref, hash).map(([patientRef, contentHash]) => listed(patientRef, contentHash)) },
  { weight: 1, arbitrary: ref.map((patientRef) => ({ patientRef, quarantined: true as const })) },
);
const before = fc.uniqueArray(
  fc.tuple(ref, hash).map(([patientRef, contentHash]) => stored(patientRef, contentHash)),
  { selector: ({ patientRef }) => patientRef },
);

/** Returns the state that an attempt leaves if it dies after it has stored a part of its diff. */
function storeSome(table: StoredEntry[], diff: Awaited<ReturnType<typeof diffListed>>, dies: () => boolean) {
  const after = new Map(table.map((entry) => [entry.patientRef, entry]));
  for (const as of ['new', 'changed'] as const)
    for (const { patientRef, contentHash } of diff[as])
      if (!dies()) after.set(patientRef, stored(patientRef, contentHash, 'today', as));
  return [...after.values()];
}

test('an attempt after one that died halfway counts everybody exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line), before, fc.infiniteStream(fc.boolean()), async (lines, table, dies) => {
      const first = await diffListed(lines, table, 'today');
      const half = storeSome(table, first, () => dies.next().value === true);
      const second = await diffListed(lines, half, 'today');
      expect(second.counts).toEqual(first.counts);
      expect(refs(second.gone)).toEqual(refs(first.gone));
      const whole = storeSome(half, second, () => false);
      const third = await diffListed(lines, whole, 'today');
      expect(third.counts).toEqual(first.counts);
      expect([...third.new, ...third.changed]).toEqual([]);
      expect((await diffListed(lines, whole, 'tomorrow')).counts).toMatchObject({ new: 0, changed: 0 });
    }),
  );
});

test('the order of the list does not matter, and each person is counted once', async () => {
  const shuffled = fc
    .array(line)
    .chain((lines) =>
      fc.tuple(fc.constant(lines), fc.shuffledSubarray(lines, { minLength: lines.length, maxLength: lines.length })),
    );
  await fc.assert(
    fc.asyncProperty(shuffled, before, async ([lines, otherOrder], table) => {
      const diff = await diffListed(lines, table, 'today');
      const other = await diffListed(otherOrder, table, 'today');
      const sorted = (entries: readonly ListedEntry[]) =>
        entries.toSorted((a, b) => (a.patientRef < b.patientRef ? -1 : 1));
      expect(other.counts).toEqual(diff.counts);
      expect(sorted(other.new)).toEqual(sorted(diff.new));
      expect(sorted(other.changed)).toEqual(sorted(diff.changed));
      const { counts } = diff;
      expect(counts.new + counts.changed + counts.unchanged).toBe(counts.listed);
      expect(counts.stored).toBe(table.length);
      const present = new Set(lines.map(({ patientRef }) => patientRef));
      expect(refs(diff.gone)).toEqual(refs(table.filter(({ patientRef }) => !present.has(patientRef))));
    }),
  );
});
