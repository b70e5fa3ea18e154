import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AccessDraft, AccessEntry } from './access.ts';
import type { Anchor } from './access-anchor.ts';
import { chainOf, draftArbitrary, draftOf, earlierChainOf } from './access-log.fixture.ts';
import { type Checkpoint, expiresAtSeconds, linkEntry, type StoredEntry, verifyChain } from './access-log.ts';

const now = Date.parse('2026-11-25T12:00:00.000Z') / 1000;

const checkpointOf = ({ seq, hash, recorded }: AccessEntry): Checkpoint => ({ seq, hash, recorded });
const anchorOf = ({ seq, hash, expiresAt }: StoredEntry): Anchor => ({ seq, hash, expiresAt });
const chains = fc
  .uniqueArray(draftArbitrary, { minLength: 1, maxLength: 8, selector: ({ id }) => id })
  .map((drafts) => chainOf(drafts));

/** A chain, and the index of one of its entries. */
const chainsAndPlaces = chains.chain((entries) => fc.tuple(fc.constant(entries), fc.nat({ max: entries.length - 1 })));

/** Forges an entry whose hash matches its content. */
function forge(entry: StoredEntry, changes: Partial<StoredEntry>): StoredEntry {
  const { seq, prevHash, prevRecorded, hash: _, ...draft } = { ...entry, ...changes };
  const recorded = prevRecorded ?? '';
  const forged = linkEntry(draft, seq === 1 ? undefined : { seq: seq - 1, hash: prevHash, recorded });
  return forged;
}

/** Verifies entries in the order in which the table returns them: by seq. */
const verify = async (
  entries: readonly StoredEntry[],
  anchors: readonly Anchor[],
  checkpoints: readonly Checkpoint[] = [],
) => {
  const ordered = <Item extends { readonly seq: number }>(items: readonly Item[]) =>
    items.toSorted((a, b) => a.seq - b.seq);
  return await verifyChain({ entries: ordered(entries), anchors, checkpoints: ordered(checkpoints) }, now);
};
const brokenAt = (seq: number) => ({ valid: false, firstBrokenSeq: seq });

test('a chain is valid as appended and as read from the table', async () => {
  await fc.assert(
    fc.asyncProperty(chains, async (entries) => {
      const kept: StoredEntry[] = JSON.parse(Buffer.from(JSON.stringify(entries)).toString('utf8'));
      const counts = { entries: entries.length, anchored: entries.length, unanchored: 0 };
      expect(await verify(kept, entries.map(anchorOf))).toEqual({ valid: true, ...counts });
    }),
  );
});

test('an empty log is valid', async () => {
  expect(await verify([], [])).toEqual({ valid: true, entries: 0, anchored: 0, unanchored: 0 });
});

test('any change to an entry is found, even if its hash was recomputed', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, draftArbitrary, async ([entries, place], other) => {
      const victim = entries[place] as StoredEntry;
      for (const field of Object.keys(other) as (keyof AccessDraft)[]) {
        const value = JSON.stringify(other[field]) === JSON.stringify(victim[field]) ? 'changed' : other[field];
        for (const forged of [{ ...victim, [field]: value }, forge(victim, { [field]: value })]) {
          const found = await verify(entries.with(place, forged), entries.map(anchorOf));
          expect(found).toMatchObject(brokenAt(place + 1));
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('an added or removed field of an entry is found', async () => {
  const entries = chainOf([draftOf(1), { ...draftOf(2), entity: { kind: 'sync', id: 's' } }, draftOf(3)]);
  const [, victim] = entries as [StoredEntry, StoredEntry, StoredEntry];
  const { entity: _, ...without } = victim;
  for (const changed of [{ ...victim, note: 'x' }, without])
    expect(await verify(entries.with(1, changed), entries.map(anchorOf))).toMatchObject(brokenAt(2));
});

test('a removed entry is found, even the last one, and even if it was anchored late', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, async ([entries, place]) => {
      const anchors = entries.map(anchorOf);
      const missing = { ...brokenAt(place + 1), problem: 'missing' };
      expect(await verify(entries.toSpliced(place, 1), anchors)).toMatchObject(missing);
      if (place < entries.length - 1)
        expect(await verify(entries.toSpliced(place, 1), anchors.toSpliced(place, 1))).toMatchObject(missing);
    }),
  );
});

test('a log that was shortened or deleted, or that starts after entries that are gone, is found', async () => {
  const entries = chainOf([1, 2, 3, 4].map(draftOf));
  const anchors = entries.map(anchorOf);
  expect(await verify(entries.slice(0, 2), anchors)).toMatchObject({ ...brokenAt(3), problem: 'missing', entries: 2 });
  expect(await verify([], anchors)).toMatchObject({ ...brokenAt(1), problem: 'missing', entries: 0 });
});

test('entries without anchors are late, and no sign of a manipulation', async () => {
  const entries = chainOf([1, 2, 3].map(draftOf));
  const { recorded = '' } = entries[1] ?? {};
  expect(await verify(entries, entries.slice(0, 1).map(anchorOf))).toEqual({
    ...{ valid: true, entries: 3, anchored: 1, unanchored: 2, unanchoredSeqs: [2, 3] },
    oldestUnanchoredSeconds: now - Date.parse(recorded) / 1000,
  });
});

test('an entry that was replaced is found by its anchor, even if everything after it was written again', async () => {
  const entries = chainOf([1, 2, 3].map(draftOf));
  const forged = chainOf([draftOf(1), { ...draftOf(2), outcome: 'refused' }, draftOf(3)]);
  const anchors = entries.map(anchorOf);
  expect(await verify(forged, anchors)).toMatchObject({ ...brokenAt(2), problem: 'differs-from-anchor' });
  const both = [...anchors, ...forged.slice(1).map(anchorOf)]; // the stream leads what was forged to an anchor, too
  for (const shown of [entries, forged])
    expect(await verify(shown, both)).toMatchObject({ ...brokenAt(2), problem: 'anchored-twice' });
});

test('a log of 0.2.0 that was written again later, with checkpoints that match, is found by its late anchors', async () => {
  const drafts = [1, 2, 3].map((number) => ({ ...draftOf(number), recorded: `2026-11-01T00:00:0${number}.000Z` }));
  const forged = drafts.with(1, { ...(drafts[1] as AccessDraft), outcome: 'refused' });
  const anchoredAt = (entries: readonly StoredEntry[], at: string) =>
    entries.map((entry) => ({ ...anchorOf(entry), writtenAt: Date.parse(at) / 1000 }));
  for (const entries of [earlierChainOf(forged), chainOf(forged)]) {
    const late = anchoredAt(entries, '2026-11-20T00:00:00.000Z').slice(1);
    const checkpoints = entries.map(checkpointOf);
    const found = await verify(entries, late, checkpoints);
    expect(found).toMatchObject({ ...brokenAt(2), problem: 'differs-from-anchor' });
  }
  // the stream leads entries to their anchors for a day, and a delete marker lets an anchor be written again
  const entries = earlierChainOf(drafts);
  const inTime = anchoredAt(entries, '2026-11-02T00:00:00.000Z');
  const again = anchoredAt(entries, '2026-11-20T00:00:00.000Z');
  for (const anchors of [inTime, [...inTime, ...again], [...again, ...inTime]])
    expect(await verify(entries, anchors, entries.map(checkpointOf))).toMatchObject({ valid: true, anchored: 3 });
});

test('another expiry than three years is found, also in entries of 0.2.0', async () => {
  const drafts = [1, 2, 3].map(draftOf);
  const [entries, earlier] = [chainOf(drafts), earlierChainOf(drafts)];
  for (const expiresAt of [now + 100_000, 1])
    for (const [chain, checkpoints] of [[entries, []] as const, [earlier, earlier.map(checkpointOf)] as const]) {
      const changed = chain.with(1, { ...(chain[1] as StoredEntry), expiresAt });
      expect(await verify(changed, [], checkpoints)).toMatchObject({ ...brokenAt(2), problem: 'changed' });
    }
});

test('a chain of 0.2.0 stays valid with its checkpoints, and continues with entries that need none', async () => {
  const earlier = earlierChainOf([draftOf(1), draftOf(2)]);
  const checkpoints = earlier.map(checkpointOf);
  const entries = [...earlier, ...chainOf([draftOf(3)], earlier[1])];
  const whole = { valid: true, entries: 3, anchored: 1, unanchored: 0 };
  expect(await verify(entries, entries.slice(2).map(anchorOf), checkpoints)).toEqual(whole);
  expect(await verify(earlier.slice(0, 1), [], checkpoints)).toMatchObject(brokenAt(2));
  expect(await verify(earlier, [], checkpoints.slice(0, 1))).toMatchObject(brokenAt(2));
  expect(await verify(entries, entries.map(anchorOf), [])).toMatchObject(brokenAt(1));
});

test('the anchors of a log that has expired do not matter to the one that starts again', async () => {
  const expired = chainOf([{ ...draftOf(1), recorded: '2023-11-25T11:59:00.000Z' }]);
  const entries = chainOf([draftOf(1)]);
  expect(await verify(entries, [...expired, ...entries].map(anchorOf))).toMatchObject({ valid: true, anchored: 1 });
  expect(await verify([], expired.map(anchorOf))).toMatchObject({ valid: true });
});

test('a removed entry is found even if all later entries were rewritten', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, async ([entries, place]) => {
      const rewritten = chainOf(entries.toSpliced(place, 1));
      expect(await verify(rewritten, entries.map(anchorOf))).toMatchObject(brokenAt(place + 1));
    }),
  );
});

test('an inserted entry is found', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, draftArbitrary, async ([entries, place], draft) => {
      const anchors = entries.map(anchorOf);
      const { seq, hash, recorded } = entries[place] as StoredEntry;
      const between = linkEntry(draft, { seq: seq - 0.5, hash, recorded });
      expect(await verify([...entries, between], anchors)).toMatchObject(brokenAt(seq + 1));
      const before = linkEntry(draft, { seq: -1, hash, recorded });
      expect(await verify([...entries, before], anchors)).toMatchObject(brokenAt(1));
      const atEnd = { ...linkEntry(draft, entries.at(-1)), prevHash: hash };
      if (place < entries.length - 1)
        expect(await verify([...entries, atEnd], anchors)).toMatchObject(brokenAt(entries.length + 1));
    }),
  );
});

test('two swapped entries are found', async () => {
  await fc.assert(
    fc.asyncProperty(chainsAndPlaces, fc.nat(), async ([entries, place], offset) => {
      const other = (place + 1 + (offset % Math.max(1, entries.length - 1))) % entries.length;
      if (other === place) return;
      const at = (index: number) => entries[index] as StoredEntry;
      const swapped = entries
        .with(place, { ...at(other), seq: at(place).seq })
        .with(other, { ...at(place), seq: at(other).seq });
      expect(await verify(swapped, entries.map(anchorOf))).toMatchObject(brokenAt(Math.min(place, other) + 1));
    }),
  );
});

test('an entry that was changed before it had an anchor is found by the next entry', async () => {
  const entries = chainOf([1, 2, 3].map(draftOf));
  const forged = forge(entries[1] as StoredEntry, { outcome: 'refused' });
  expect(await verify(entries.with(1, forged), [])).toMatchObject(brokenAt(3));
});

test('expired entries at the start may be missing, but no others', async () => {
  const old = { ...draftOf(1), recorded: '2023-11-25T12:00:00.000Z' };
  const recent = { ...draftOf(2), recorded: '2023-11-25T12:15:01.000Z' };
  const entries = chainOf([old, old, recent, recent, recent]);
  const from = (index: number) => verify(entries.slice(index), []);
  expect(await from(2)).toMatchObject({ valid: true, entries: 3 });
  expect(await from(1)).toMatchObject({ valid: true, entries: 4 }); // DynamoDB deletes expired items in any order, at any time
  expect(await from(3)).toMatchObject({ valid: false, entries: 2, firstBrokenSeq: 3 });
  expect(await from(4)).toMatchObject({ valid: false, entries: 1, firstBrokenSeq: 4 });
});

test('entries that expire during the verification may be missing, and no others', async () => {
  const soon = { ...draftOf(1), recorded: '2023-11-25T12:10:00.000Z' };
  const later = { ...draftOf(2), recorded: '2023-11-25T12:20:00.000Z' };
  const [first, second, third] = chainOf([soon, later, later]) as [StoredEntry, StoredEntry, StoredEntry];
  const anchors = [first, second, third].map(anchorOf);
  for (const entries of [
    [first, second, third],
    [second, third],
  ])
    expect(await verify(entries, anchors)).toMatchObject({ valid: true, entries: entries.length });
  expect(await verify([third], anchors)).toMatchObject({ ...brokenAt(2), problem: 'missing' });
});

test('an entry expires after exactly three years', () => {
  expect(expiresAtSeconds('2026-11-25T12:00:00.001Z')).toBe(Date.parse('2029-11-25T12:00:01.000Z') / 1000);
  expect(expiresAtSeconds('2028-02-29T00:00:00.000Z')).toBe(Date.parse('2031-03-01T00:00:00.000Z') / 1000);
});

test('the hash of an entry never changes, because logs of three years depend on it', () => {
  const drafts = [draftOf(1), { ...draftOf(2), entity: { kind: 'sync', id: 's' } as const }];
  const [first, second] = earlierChainOf(drafts);
  expect([first?.hash, second?.hash]).toEqual([
    '0ae1afa36bcd4155a1e98d8ad893f1f3dd6ef58e1487000de124f09469f4ee2e',
    'bd0d55d217140589bcd3c429a74a9d237b1282499ae91d49ee622d31077d352e',
  ]);
  expect(chainOf(drafts).map(({ hash }) => hash)).toEqual([
    '7e31f61e25c0961100c5a6354f8388bd11855233d8b132ccb5bcff38e61d678b',
    'ff0a05a952e89bb76b0cf1b89f174013c212e7b012f88ff9d9b78397d02cb0a4',
  ]);
});
