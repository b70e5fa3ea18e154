import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { TransferNow } from '../../core/domain/transfer.ts';
import type { ProgressNow } from '../../core/temporal/daily-sync-client.ts';
import { type Day, startDay } from '../day.fixture.ts';

const pure = { rate: 0, malformedEntries: 0, notInsuredShare: 0, unknownShare: 0, framing: 'content-length' } as const;

/** Resolves with the first progress that has such a transfer. */
async function untilTransfer(
  day: Day,
  matches: (transfer: TransferNow, progress: ProgressNow) => boolean,
): Promise<{ transfer: TransferNow; progress: ProgressNow }> {
  for (;;) {
    const progress = await day.sync.readProgress().catch(() => undefined);
    for (const transfer of progress?.transfers ?? [])
      if (progress && matches(transfer, progress)) return { transfer, progress };
    if (progress?.state === 'completed') throw new Error('the run has ended without it');
    await sleep(200);
  }
}

test('while a list is fetched, people see its bytes grow and its failures by kind, also after the worker has died', async () => {
  await using day = await startDay({ patients: 1_000, ...pure });
  day.insurer.script(
    { match: 'list', fault: 'server-error' },
    { match: 'list', fault: 'reset-in-body', afterBytes: 100_000 },
    { match: 'list', fault: 'none', slowMs: 24_000, framing: 'content-length' },
  );
  const withPatience = { LINE_STALL_MS: '6000', LIST_FIRST_BYTE_MS: '30000' }; // a slow list has a piece every 2.4 s
  const first = await day.startWorker(withPatience);
  await day.sync.start();
  const isCounted = ({ failures, secondsLeft }: TransferNow) => failures === 2 && secondsLeft !== undefined;
  const { transfer: early, progress } = await untilTransfer(day, isCounted);
  expect(early).toMatchObject({ kind: 'list', requests: 2, faults: { 'server-error': 1, reset: 1 } });
  expect(early.totalBytes).toBeGreaterThan(early.receivedBytes);
  expect(early.receivedBytes, 'what came before the reset counts').toBeGreaterThan(0); // a reset discards what was not read
  expect(early.bytesPerSecond).toBeGreaterThan(0);
  expect(progress.line, 'the requests of the run are live, too').toMatchObject({ requests: 2, failures: 2 });

  const hasGrown = ({ receivedBytes }: TransferNow) => receivedBytes > early.receivedBytes + 60_000;
  const { transfer: later } = await untilTransfer(day, hasGrown);
  expect(later).toMatchObject({ since: early.since, totalBytes: early.totalBytes, requests: 2 });

  await first.kill();
  const killedAt = new Date().toISOString();
  day.insurer.script({ match: 'list', fault: 'none', slowMs: 8_000, framing: 'content-length' });
  await day.startWorker(withPatience);
  const isContinued = ({ measuredAt, receivedBytes }: TransferNow) =>
    measuredAt > killedAt && receivedBytes > later.receivedBytes;
  const { transfer: continued } = await untilTransfer(day, isContinued);
  expect(continued).toMatchObject({ since: early.since, totalBytes: early.totalBytes, faults: early.faults });

  const after = await day.until(({ phase }) => phase === 'care-records');
  expect(after).not.toHaveProperty('transfers');
  expect(after.line.faults, 'nothing is counted twice').toMatchObject({ 'server-error': 1, reset: 1 });
});

test('care records that take long are shown while they arrive, without the patient', async () => {
  await using day = await startDay({ patients: 20, ...pure });
  const slow = day.insurer.patients().find(({ isSpoiled, kind }) => !isSpoiled && kind === 'ok');
  if (slow === undefined) throw new Error('no patient has care records');
  day.insurer.script({ match: slow.kvnr, fault: 'none', slowMs: 8_000, framing: 'content-length', gzip: false });
  await day.startWorker();
  await day.sync.start();
  const { transfer, progress } = await untilTransfer(day, ({ kind }) => kind === 'care-records');
  expect(progress.phase).toBe('care-records');
  expect(transfer.receivedBytes).toBeGreaterThan(0);
  expect(transfer.totalBytes).toBeGreaterThan(transfer.receivedBytes);
  expect(JSON.stringify(transfer)).not.toContain(day.refOf(slow.kvnr));
  expect(await day.ended()).not.toHaveProperty('transfers');
});
