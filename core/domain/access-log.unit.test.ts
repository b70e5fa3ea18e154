import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AccessDraft, AccessEntry } from './access.ts';
import { chainOf, draftArbitrary, draftOf } from './access-log.fixture.ts';
import { type Checkpoint, expiresAtSeconds, linkEntry, verifyChain } from './access-log.ts';

const now = Date.parse('2026-11-25T12:00:00.000Z') / 1000;

const checkpointOf = ({ seq, hash, recorded }: AccessEntry): Checkpoint => ({ seq, hash, recorded });
const chains = fc
  .uniqueArray(draftArbitrary, { minLength: 1, maxLength: 8, selector: ({ id }) => id })
  .map((drafts) => chainOf(drafts));

/** A chain, and the index of one of its entries. */
const chainsAndPlaces = chains.chain((entries) => fc.tuple(fc.constant(entries), fc.nat({ max: entries.length - 1 })));

/** Forges an entry whose hash matches its content. */
function forge(entry: AccessEntry, changes: Partial<AccessEntry>): AccessEntry {
  const { seq, prevHash, prevRecorded, hash: _, ...draft } = { ...entry, ...changes };
  const recorded = prevRecorded ?? '';
  const forged = linkEntry(draft, seq === 1 ? undefined : { seq: seq - 1, hash: prevHash, recorded });
  return forged;
}

/** Verifies entries in the order in which the table returns them: by seq. */
const verify = async (entries: readonly AccessEntry[], checkpoints: readonly Checkpoint[]) => {
  const ordered = <Item extends Checkpoint>(items: readonly Item[]) => items.toSorted((a, b) => a.seq - b.seq);
  return await verifyChain(ordered(entries), ordered(checkpoints), now);
};
const brokenAt = (seq: number) => ({ valid: false, firstBrokenSeq: seq });

test('a chain is valid as appended and as read from the table', async () => {
  await fc.assert(
    fc.asyncProperty(chains, async (entries) => {
      const kept: AccessEntry[] = JSON.parse(Buffer.from(JSON.stringify(entries)).toString('utf8'));
      expect(await verify(kept, entries.map(checkpointOf))).toEqual({ valid: true, entries: entries.length });
    }),
  );
});

test('an empty log is valid', async () => {
  expect(await verifyChain([], [], now)).toEqual({ valid: true, entries: 0 });
});

test('any change to an entry is found, even if its hash was recomputed', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, draftArbitrary, async ([entries, place], other) => {
      const victim = entries[place] as AccessEntry;
      for (const field of Object.keys(other) as (keyof AccessDraft)[]) {
        const value = JSON.stringify(other[field]) === JSON.stringify(victim[field]) ? 'changed' : other[field];
        for (const forged of [{ ...victim, [field]: value }, forge(victim, { [field]: value })]) {
          const found = await verify(entries.with(place, forged), entries.map(checkpointOf));
          expect(found).toMatchObject(brokenAt(place + 1));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('an added or removed field of an entry is found', async () => {
  const entries = chainOf([draftOf(1), { ...draftOf(2), entity: { kind: 'sync', id: 's' } }, draftOf(3)]);
  const [, victim] = entries as [AccessEntry, AccessEntry, AccessEntry];
  const { entity: _, ...without } = victim;
  for (const changed of [{ ...victim, note: 'x' }, without])
    expect(await verify(entries.with(1, changed), entries.map(checkpointOf))).toMatchObject(brokenAt(2));
});

test('a removed entry or checkpoint is found, even the last one', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, async ([entries, place]) => {
      const checkpoints = entries.map(checkpointOf);
      expect(await verify(entries.toSpliced(place, 1), checkpoints)).toMatchObject(brokenAt(place + 1));
      expect(await verify(entries, checkpoints.toSpliced(place, 1))).toMatchObject(brokenAt(place + 1));
      if (place < entries.length - 1) {
        const found = await verify(entries.toSpliced(place, 1), checkpoints.toSpliced(place, 1));
        expect(found).toMatchObject(brokenAt(place + 1));
      }
    }),
  );
});

test('a removed entry is found even if all later entries were rewritten', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, async ([entries, place]) => {
      const rewritten = chainOf(entries.toSpliced(place, 1));
      expect(await verify(rewritten, entries.map(checkpointOf))).toMatchObject(brokenAt(place + 1));
    }),
  );
});

test('an inserted entry is found, at the end or between two seqs', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, draftArbitrary, async ([entries, place], draft) => {
      const checkpoints = entries.map(checkpointOf);
      const atEnd = linkEntry(draft, entries.at(-1));
      expect(await verify([...entries, atEnd], checkpoints)).toMatchObject(brokenAt(entries.length + 1));
      expect(await verify(entries, [...checkpoints, checkpointOf(atEnd)])).toMatchObject(brokenAt(entries.length + 1));
      const { seq, hash, recorded } = entries[place] as AccessEntry;
      const between = linkEntry(draft, { seq: seq - 0.5, hash, recorded });
      for (const candidates of [checkpoints, [...checkpoints, checkpointOf(between)]])
        expect(await verify([...entries, between], candidates)).toMatchObject(brokenAt(seq + 1));
      const before = linkEntry(draft, { seq: -1, hash, recorded });
      expect(await verify([...entries, before], checkpoints)).toMatchObject(brokenAt(1));
    }),
  );
});

test('two swapped entries are found', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, fc.nat(), async ([entries, place], offset) => {
      const other = (place + 1 + (offset % Math.max(1, entries.length - 1))) % entries.length;
      if (other === place) return;
      const at = (index: number) => entries[index] as AccessEntry;
      const swapped = entries
        .with(place, { ...at(other), seq: at(place).seq })
        .with(other, { ...at(place), seq: at(other).seq });
      expect(await verify(swapped, entries.map(checkpointOf))).toMatchObject(brokenAt(Math.min(place, other) + 1));
    }),
  );
});

test('an entry that was changed together with its checkpoint is found by the next entry', async () => {
  const entries = chainOf([1, 2, 3].map(draftOf));
  const forged = forge(entries[1] as AccessEntry, { outcome: 'refused' });
  const changed = entries.with(1, forged);
  expect(await verify(changed, changed.map(checkpointOf))).toMatchObject(brokenAt(3));
});

test('expired entries at the start may be missing, but no others', async () => {
  const old = { ...draftOf(1), recorded: '2023-11-25T12:00:00.000Z' };
  const recent = { ...draftOf(2), recorded: '2023-11-25T12:00:01.000Z' };
  const entries = chainOf([old, old, recent, recent, recent]);
  const from = (index: number) => verify(entries.slice(index), entries.slice(index).map(checkpointOf));
  expect(await from(2)).toEqual({ valid: true, entries: 3 });
  expect(await from(1)).toEqual({ valid: true, entries: 4 }); // DynamoDB deletes expired items in any order, at any time
  expect(await from(3)).toEqual({ valid: false, entries: 2, firstBrokenSeq: 3 });
  expect(await from(4)).toEqual({ valid: false, entries: 1, firstBrokenSeq: 4 });
});

test('an entry expires after exactly three years', () => {
  expect(expiresAtSeconds('2026-11-25T12:00:00.001Z')).toBe(Date.parse('2029-11-25T12:00:01.000Z') / 1000);
  expect(expiresAtSeconds('2028-02-29T00:00:00.000Z')).toBe(Date.parse('2031-03-01T00:00:00.000Z') / 1000);
});

test('the hash of an entry never changes, because logs of three years depend on it', () => {
  const [first, second] = chainOf([draftOf(1), { ...draftOf(2), entity: { kind: 'sync', id: 's' } }]);
  expect([first?.hash, second?.hash]).toEqual([
    '0ae1afa36bcd4155a1e98d8ad893f1f3dd6ef58e1487000de124f09469f4ee2e',
    'bd0d55d217140589bcd3c429a74a9d237b1282499ae91d49ee622d31077d352e',
  ]);
});
