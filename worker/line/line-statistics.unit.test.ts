import { expect, test } from 'vitest';
import { createLineStatistics } from './line-statistics.ts';
import { testPermit } from './raw-insurer.fixture.ts';

function startStatistics() {
  const clock = { ms: 1_000 };
  const statistics = createLineStatistics(() => clock.ms);
  const permit = statistics.wrap(testPermit());
  const request = (ms: number): void => {
    const end = permit.begin(async () => {});
    clock.ms += ms;
    end({ needsRest: false });
  };
  return { clock, statistics, permit, request };
}

test('requests, faults and durations are counted once', () => {
  const { clock, statistics, request } = startStatistics();
  request(120);
  statistics.failed('stalled');
  request(80);
  statistics.received(700);
  statistics.received(300);
  statistics.succeeded();
  clock.ms += 800;
  expect(statistics.take()).toEqual({
    requests: 2,
    faults: { stalled: 1 },
    receivedBytes: 1_000,
    busyMs: 200,
    elapsedMs: 1_000,
    sinceSuccessMs: 800,
  });
  clock.ms += 500;
  expect(statistics.take()).toEqual({
    requests: 0,
    faults: {},
    receivedBytes: 0,
    busyMs: 0,
    elapsedMs: 500,
    sinceSuccessMs: 1_300,
  });
});

test('the duration of a long request is split over the intervals', () => {
  const { clock, statistics, permit } = startStatistics();
  clock.ms += 100;
  const end = permit.begin(async () => {});
  clock.ms += 900;
  expect(statistics.take()).toMatchObject({ requests: 1, busyMs: 900, elapsedMs: 1_000 });
  clock.ms += 300;
  end({ needsRest: false });
  clock.ms += 700;
  expect(statistics.take()).toMatchObject({ requests: 0, busyMs: 300, elapsedMs: 1_000 });
});

test('a refused connection counts as a request, although none began', () => {
  const { statistics } = startStatistics();
  statistics.failed('refused');
  expect(statistics.take()).toMatchObject({ requests: 1, faults: { refused: 1 }, busyMs: 0 });
});
