import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { PayloadReference } from '../../core/contract/payload-reference.ts';
import type { Arrival } from '../insurer/insurer-client.ts';
import { LineError, StorageTooSlow } from '../line/line-error.ts';
import { emptyList, type ListProgress, ListSegments } from './list-segments.ts';

const arrivalOf = (facts: Partial<Arrival> = {}): Arrival => ({
  receivedBytes: () => 0,
  isPartial: false,
  isCompressed: false,
  ...facts,
});

test('the heartbeat details of a transfer that takes days stay small, and no segment is lost', async () => {
  const days = 5;
  const manifests = new Map<string, readonly PayloadReference[]>();
  let reported: ListProgress = emptyList;
  let longest = 0;
  let nowMs = 0;
  let segments = 0;
  const continueList = (): ListSegments =>
    new ListSegments({
      progress: reported,
      manifestSegments: reported.manifest ? (manifests.get(reported.manifest.key) ?? []) : [],
      putSegment: async (body) => ({
        key: `lists/kk-2026-11-24-1/segments/${String(segments++).padStart(6, '0')}`,
        sizeBytes: body.length,
        sha256: 'f'.repeat(64),
      }),
      putManifest: async (row) => {
        const key = `lists/kk-2026-11-24-1/manifests/${String(row.length).padStart(64, '0')}`;
        manifests.set(key, row);
        return { key, sizeBytes: 1, sha256: 'f'.repeat(64) };
      },
      onProgress: (progress) => {
        reported = progress;
        longest = Math.max(longest, JSON.stringify(progress).length);
      },
      now: () => nowMs,
      holdMaxMs: 10_000,
      onLongerHold: () => {},
    });
  let list = continueList();
  list.answered('1', false, arrivalOf());
  list.begin({ from: 0, etag: '"v1"', position: '"v1"' });
  await list.write(Buffer.from('['));
  while (nowMs < days * 86_400_000) {
    nowMs += 5_000;
    await list.write(Buffer.from('1,'));
    if (nowMs % 3_600_000 === 0) list = continueList(); // every hour a new attempt continues
    if (nowMs % 3_600_000 !== 0) continue;
    list.answered('2', false, arrivalOf());
    list.begin({ from: list.resume?.from ?? 0, position: '"v1"' });
  }
  await list.write(Buffer.from('1]'));
  await list.finish();
  const manifest = await list.writeManifest();
  const row = manifests.get(manifest.key) ?? [];
  expect(segments).toBeGreaterThan(1_500);
  expect(row.map(({ key }) => key)).toEqual(
    Array.from({ length: segments }, (_, index) => `lists/kk-2026-11-24-1/segments/${String(index).padStart(6, '0')}`),
  );
  expect(row.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)).toBe(list.progress.sizeBytes);
  expect(longest).toBeLessThan(16 * 1024);
  expect(reported).toMatchObject({ isComplete: true, segments: [], manifest });
});

test('a bucket that is slow for each segment gets more time each time, if the transfer cannot be resumed', async () => {
  let nowMs = 0;
  const holds: number[] = [];
  const list = new ListSegments({
    progress: emptyList,
    manifestSegments: [],
    putSegment: async (body) => {
      await sleep(150);
      return { key: 'segment', sizeBytes: body.length, sha256: 'f'.repeat(64) };
    },
    putManifest: async () => ({ key: 'manifest', sizeBytes: 1, sha256: 'f'.repeat(64) }),
    onProgress: () => {},
    now: () => (nowMs += 60_000), // each chunk is a segment
    holdMaxMs: 20,
    onLongerHold: (ms) => holds.push(ms),
  });
  const transfer = async (): Promise<'received' | 'freed'> => {
    list.answered('1', false, arrivalOf());
    list.begin({ from: 0, etag: 'W/"weak"' });
    try {
      await list.write(Buffer.from('[1,2]'));
      return 'received';
    } catch (error) {
      expect(error).toBeInstanceOf(StorageTooSlow);
      await list.whenStored();
      return 'freed';
    }
  };
  const transfers = [await transfer(), await transfer(), await transfer(), await transfer()];
  expect(transfers).toEqual(['freed', 'freed', 'freed', 'received']);
  expect(holds).toEqual([40, 80, 160]);
  await list.finish();
  expect(list.progress.isComplete).toBe(true);
});

test.each([
  ['UTF-16 with a byte order mark', Buffer.from('\ufeff [1, 2]\n', 'utf16le'), undefined, 'utf-16le'],
  ['UTF-16 that the header declares', Buffer.from('[1, 2] ', 'utf16le').swap16(), 'a/b; charset=utf-16be', 'utf-16be'],
  ['windows-1252', Buffer.from('["\x80"]', 'latin1'), 'application/json; charset=windows-1252', 'windows-1252'],
  ['ISO-8859-1', Buffer.from('["\xfc"]', 'latin1'), 'application/json; charset=iso-8859-1', 'windows-1252'],
  ['UTF-8 with NUL and a second mark behind it', Buffer.from('[1]\0\ufeff\n'), undefined, undefined],
  ['UTF-16 with a second mark behind it', Buffer.from('\ufeff[1]\0\ufeff', 'utf16le'), undefined, 'utf-16le'],
  ['UTF-8', Buffer.from('\ufeff["ü"]'), 'application/json; charset=utf-8', undefined],
])('a list in %s is complete, and its charset is known', async (_form, body, contentType, charset) => {
  const list = new ListSegments({
    progress: emptyList,
    manifestSegments: [],
    putSegment: async ({ length }) => ({ key: 'segment', sizeBytes: length, sha256: 'f'.repeat(64) }),
    putManifest: async () => ({ key: 'manifest', sizeBytes: 1, sha256: 'f'.repeat(64) }),
    onProgress: () => {},
    now: () => 0,
    holdMaxMs: 1_000,
    onLongerHold: () => {},
  });
  list.answered('1', false, arrivalOf());
  list.begin({ from: 0, ...(contentType !== undefined && { contentType }) });
  for (const byte of body) await list.write(Buffer.of(byte));
  await list.finish();
  expect(list.progress).toMatchObject({ isComplete: true, sizeBytes: body.length });
  expect(list.progress.charset).toBe(charset);
});

test('a page is reported together with the position behind it, and one that is no JSON cannot swallow others', async () => {
  const bodies: Buffer[] = [];
  const reported: ListProgress[] = [];
  let nowMs = 0;
  const list = new ListSegments({
    progress: emptyList,
    manifestSegments: [],
    putSegment: async (body) => {
      bodies.push(body);
      return { key: String(bodies.length), sizeBytes: body.length, sha256: '' };
    },
    putManifest: async () => ({ key: 'manifest', sizeBytes: 1, sha256: '' }),
    onProgress: (progress) => reported.push(progress),
    now: () => nowMs,
    holdMaxMs: 10_000,
    onLongerHold: () => {},
  });
  list.page([], '2');
  await list.flushIfDue();
  expect(reported.at(-1)).toEqual(emptyList); // a killed process asks for the first page again
  expect(list.resume).toEqual({ from: 1, position: '2' });
  nowMs += 60_000;
  expect(() => list.page(['{"a":1}'], '2')).toThrow(LineError);
  expect(() => list.page(['{"a":1}'], 'x'.repeat(4_097))).toThrow(LineError);
  list.page(['{"a":1}', '{"b":"'], '3');
  await list.flushIfDue();
  expect(reported.at(-1)).toMatchObject({ position: '3', sizeBytes: list.resume?.from });
  list.page([]);
  expect(list.resume).toBeUndefined();
  await list.finish();
  expect(reported.at(-1)).toMatchObject({ isComplete: true });
  expect(reported.at(-1)).not.toHaveProperty('position');
  expect(JSON.parse(Buffer.concat(bodies).toString())).toEqual([{ a: 1 }, '{"b":"']);
});

const listInMemory = (): ListSegments =>
  new ListSegments({
    progress: emptyList,
    manifestSegments: [],
    putSegment: async ({ length }) => ({ key: 'segment', sizeBytes: length, sha256: 'f'.repeat(64) }),
    putManifest: async () => ({ key: 'manifest', sizeBytes: 1, sha256: 'f'.repeat(64) }),
    onProgress: () => {},
    now: () => 0,
    holdMaxMs: 1_000,
    onLongerHold: () => {},
  });

test('what has arrived counts from the start of a range, and from zero if the insurer sends the whole list again', async () => {
  const list = listInMemory();
  list.answered('1', false, arrivalOf({ receivedBytes: () => 40, totalBytes: 100 }));
  list.begin({ from: 0, position: '"v1"' });
  expect(list.received).toEqual({ receivedBytes: 40, totalBytes: 100 });
  await list.write(Buffer.from('[1,2,'));
  list.answered('2', false, arrivalOf({ receivedBytes: () => 300, totalBytes: 300 }));
  expect(list.received, 'an error page is no part of the list').toEqual({ receivedBytes: 40, totalBytes: 100 });
  list.answered('3', false, arrivalOf({ receivedBytes: () => 20, totalBytes: 100, isPartial: true }));
  list.begin({ from: 40, position: '"v1"' });
  expect(list.received).toEqual({ receivedBytes: 60, totalBytes: 100 });
  list.answered('4', false, arrivalOf({ receivedBytes: () => 5, totalBytes: 100 }));
  list.begin({ from: 60, position: '"v1"' });
  expect(list.received).toEqual({ receivedBytes: 5, totalBytes: 100 });
});

test('what has arrived of a list in pages is the size of the complete pages', () => {
  const list = listInMemory();
  list.answered('1', false, arrivalOf({ receivedBytes: () => 1_000, totalBytes: 2_000, isCompressed: true }));
  list.page(['{"n":1}', '{"n":2}'], 'next');
  expect(list.received).toEqual({ receivedBytes: Buffer.byteLength('[{"n":1},\n{"n":2}') });
});
