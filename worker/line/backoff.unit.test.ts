import { setImmediate as tick } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { LineFault, Priority } from '../../core/domain/line.ts';
import { createBackoff } from './backoff.ts';
import { openLine } from './line.ts';
import { LineError } from './line-error.ts';
import { ConnectError } from './open-socket.ts';
import { testPermit } from './raw-insurer.fixture.ts';

/** Returns a function that records failures in a row, and returns the number of cooldowns so far. */
function startBackoff() {
  const permit = testPermit();
  const backoff = createBackoff(permit);
  const fail = (times: number, target: string, priority: Priority, fault: LineFault): number => {
    for (let left = times; left > 0; left -= 1) backoff.failed(target, priority, fault);
    return permit.cooldowns.length;
  };
  return { backoff, fail };
}

test('refused connections are an outage after forty, although only one person asks', () => {
  const { backoff, fail } = startBackoff();
  expect(fail(39, 'anna', 'person', 'refused')).toBe(0);
  expect(fail(1, 'anna', 'person', 'refused')).toBe(1);
  backoff.succeeded();
  expect(fail(39, 'anna', 'person', 'refused')).toBe(1);
});

test('refused connections do not hide a failing record, and count together with eight failures of each patient', () => {
  const { fail } = startBackoff();
  expect(fail(100, 'anna', 'person', 'server-error')).toBe(0);
  expect(fail(31, 'anna', 'person', 'refused')).toBe(0);
  expect(fail(1, 'ben', 'person', 'refused')).toBe(1);
});

test.each<LineFault>(['contract', 'wrong-patient', 'server-error', 'reset', 'stalled', 'cut-short', 'not-json'])(
  'a person whose requests always end as %s is no outage',
  (fault) => {
    const { fail } = startBackoff();
    expect(fail(1_000, 'anna', 'person', fault)).toBe(0);
  },
);

test('while a run waits behind one person, forty refused connections are an outage, although the run never gets its turn', async () => {
  const permit = testPermit();
  const backoff = createBackoff(permit);
  const line = openLine({
    ...{ origin: 'http://insurer.example', permit, stallMs: 1_000 },
    clock: { ...systemClock, after: (_delayMs, action) => systemClock.after(0, action) }, // no wait between refused connections
    openConnection: () => ({
      socket: undefined,
      send: (_request, handler) => void tick().then(() => handler.onFailure(new ConnectError('ECONNREFUSED'))),
    }),
  });
  const request = { operation: 'care-records', path: '/', headers: {} } as const;
  const ask = async (target: string, priority: Priority): Promise<void> =>
    await line
      .perform(priority, request, async () => {}, new AbortController().signal)
      .catch((error: unknown) => {
        if (error instanceof LineError) backoff.failed(target, priority, error.fault);
      });
  const ofRun: string[] = [];
  const run = ['ben', 'carl', 'dora'].map(async (target) => {
    await ask(target, 'bulk');
    ofRun.push(target);
  });
  for (let asked = 1; asked < 41; asked += 1) {
    expect(permit.cooldowns).toEqual([]);
    await ask('anna', 'person');
  }
  expect(permit.cooldowns).toEqual(['outage 1 s']);
  expect(ofRun).toEqual([]);
  await line.close();
  await Promise.all(run);
});
