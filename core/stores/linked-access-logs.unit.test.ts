import { expect, test } from 'vitest';
import { draftFor } from '../../test/access-draft.fixture.ts';
import type { AccessEntry } from '../domain/access.ts';
import { linkEntry } from '../domain/access-log.ts';
import type { AccessLogStore } from './access-log.ts';
import { type Period, readPeriod, readTogether } from './linked-access-logs.ts';

const patientRef = 'ab'.repeat(16);
const hourMs = 3_600_000;
const firstMs = Date.parse('2025-01-01T00:00:00Z');

/** Holds a log in memory, as the table would return it, and counts the entries that were read. */
function logOf(entries: readonly AccessEntry[]) {
  const log = {
    entriesRead: 0,
    read: (async (_ref, limit, afterSeq, order) => {
      const left =
        order === 'newest'
          ? entries.filter(({ seq }) => seq < (afterSeq ?? Number.POSITIVE_INFINITY)).toReversed()
          : entries.filter(({ seq }) => seq > (afterSeq ?? 0));
      const page = left.slice(0, limit);
      log.entriesRead += page.length;
      const last = page.at(-1);
      return page.length < left.length && last ? { entries: page, lastKey: last.seq } : { entries: page };
    }) satisfies AccessLogStore['read'],
  };
  return log;
}

/** Returns a log with one entry for each moment, in this order. */
function entriesAt(momentsMs: readonly number[]): AccessEntry[] {
  const entries: AccessEntry[] = [];
  for (const ms of momentsMs) {
    const draft = { ...draftFor(patientRef), recorded: new Date(ms).toISOString() };
    entries.push(linkEntry(draft, entries.at(-1)));
  }
  return entries;
}

const hourly = (count: number): number[] => Array.from({ length: count }, (_, hour) => firstMs + hour * hourMs);
const periodOf = (from: string | undefined, to: string | undefined): Period => ({
  fromMs: from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from),
  toMs: to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to),
});
const read = async (log: ReturnType<typeof logOf>, period: Period) =>
  (await Array.fromAsync(readPeriod(log, [patientRef], period))).flat();

test.each([
  ['with both ends', '2025-06-01T00:00:00Z', '2025-06-02T00:00:00Z', 24],
  ['at the beginning of the log', undefined, '2025-01-02T00:00:00Z', 24],
  ['at its end', '2025-12-31T00:00:00Z', undefined, 24],
  ['before all entries', undefined, '2024-01-01T00:00:00Z', 0],
  ['after all entries', '2027-01-01T00:00:00Z', undefined, 0],
])('a period %s is read without the rest of the log', async (_, from, to, count) => {
  const log = logOf(entriesAt(hourly(365 * 24)));
  const entries = await read(log, periodOf(from, to));
  expect(entries).toHaveLength(count);
  expect(log.entriesRead).toBeLessThan(3_500); // of 8 760: the period, 30 days on each side, and the search for both
});

test.each(['oldest', 'newest'] as const)(
  'entries of one moment have the same order from each of the logs (%s first)',
  async (order) => {
    const refs = ['ab', 'cd', 'ef'].map((pair) => pair.repeat(16));
    const logs = new Map(
      refs.map((ref) => [
        ref,
        logOf([linkEntry({ ...draftFor(ref), recorded: new Date(firstMs).toISOString() }, undefined)]),
      ]),
    );
    const store = {
      read: async (ref, ...rest) => (await logs.get(ref)?.read(ref, ...rest)) ?? { entries: [] },
    } satisfies Pick<AccessLogStore, 'read'>;
    const orderFrom = async (patientRefs: string[]) =>
      (await readTogether(store, patientRefs, 10, {}, order)).entries.map((entry) => entry.patientRef);
    const expected = order === 'oldest' ? refs : refs.toReversed();
    expect(await orderFrom(refs)).toEqual(expected);
    expect(await orderFrom(refs.toReversed())).toEqual(expected);
  },
);

test('without a period, all entries are read, also of an empty log', async () => {
  const everything = periodOf(undefined, undefined);
  expect(await read(logOf(entriesAt(hourly(2_500))), everything)).toHaveLength(2_500);
  expect(await read(logOf([]), everything)).toEqual([]);
  expect(await read(logOf([]), periodOf('2025-06-01T00:00:00Z', '2025-06-02T00:00:00Z'))).toEqual([]);
});

test('an entry that was appended long after it was recorded is in its period', async () => {
  const moments = Array.from({ length: 10_000 }, (_, half) => firstMs + half * (hourMs / 2));
  const lateMs = Date.parse('2025-06-01T12:30:00Z');
  const appendedAt = moments.findIndex((ms) => ms > lateMs + 25 * 24 * hourMs); // workers were away for 25 days
  const log = logOf(entriesAt([...moments.slice(0, appendedAt), lateMs, ...moments.slice(appendedAt)]));
  const entries = await read(log, periodOf('2025-06-01T00:00:00Z', '2025-06-02T00:00:00Z'));
  expect(entries).toHaveLength(49);
  expect(entries.map(({ recorded }) => Date.parse(recorded))).toContain(lateMs);
});

test('expired entries are skipped', async () => {
  const log = logOf(entriesAt(hourly(365 * 24)).slice(5_000));
  expect(await read(log, periodOf('2025-12-01T00:00:00Z', '2025-12-02T00:00:00Z'))).toHaveLength(24);
  expect(await read(log, periodOf('2025-01-01T00:00:00Z', '2025-01-02T00:00:00Z'))).toEqual([]);
});
