import { expect, test } from 'vitest';
import { createLineStatistics } from './line-statistics.ts';
import { testRight } from './raw-insurer.fixture.ts';

function startMeter() {
  const clock = { ms: 1_000 };
  const meter = createLineStatistics(() => clock.ms);
  const right = meter.watch(testRight());
  const request = (ms: number): void => {
    const end = right.begin(async () => {});
    clock.ms += ms;
    end({ wasCut: false });
  };
  return { clock, meter, right, request };
}

test('requests, what went wrong with them and how long they took are counted once', () => {
  const { clock, meter, request } = startMeter();
  request(120);
  meter.failed('stalled');
  request(80);
  meter.succeeded();
  clock.ms += 800;
  expect(meter.take()).toEqual({
    requests: 2,
    faults: { stalled: 1 },
    busyMs: 200,
    elapsedMs: 1_000,
    sinceSuccessMs: 800,
  });
  clock.ms += 500;
  expect(meter.take()).toEqual({ requests: 0, faults: {}, busyMs: 0, elapsedMs: 500, sinceSuccessMs: 1_300 });
});

test('a request that lasts is counted in each interval with its share', () => {
  const { clock, meter, right } = startMeter();
  clock.ms += 100;
  const end = right.begin(async () => {});
  clock.ms += 900;
  expect(meter.take()).toMatchObject({ requests: 1, busyMs: 900, elapsedMs: 1_000 });
  clock.ms += 300;
  end({ wasCut: false });
  clock.ms += 700;
  expect(meter.take()).toMatchObject({ requests: 0, busyMs: 300, elapsedMs: 1_000 });
});

test('a connection that was refused is a request too, though none could begin', () => {
  const { meter } = startMeter();
  meter.failed('refused');
  expect(meter.take()).toMatchObject({ requests: 1, faults: { refused: 1 }, busyMs: 0 });
});
