import { describe, expect, test } from 'vitest';
import { allStates, allWrites } from './coverage.ts';
import { mutants } from './mutants.ts';
import { reportOf, sumOf } from './report.ts';
import { simulateSeeds } from './seeds.ts';
import { Simulation } from './simulation.ts';

const faults = 100_000;
/** A mutant that needs more faults counts as not found. */
const faultsPerMutant = 300_000;

test(`${faults} faults on simulated time: never two requests, none in a pause, none before a cooldown ends, none faster than the pace, none of a run in quiet hours, no early end of a pause, no lost wake-up, no request of a run between those of a person`, {
  timeout: 300_000,
}, async ({ annotate }) => {
  const simulated = await simulateSeeds({ firstSeed: 1, faults });
  const sums = sumOf(simulated.results);
  expect(simulated.broken?.guarantee, reportOf(simulated)).toBeUndefined();
  expect(sums.faultsInAll).toBe(faults);
  // otherwise the test proves nothing
  expect(allStates.filter((state) => sums.states[state] === 0)).toEqual([]);
  expect(allWrites.filter((write) => sums.writes[write] === 0)).toEqual([]);
  expect(sums.requests).toBeGreaterThan(faults / 10);
  expect(sums.confirmedPauses).toBeGreaterThan(faults / 100);
  expect(sums.outages).toBeGreaterThan(faults / 1_000);
  expect(sums.keptTurns).toBeGreaterThan(faults / 100);
  expect(sums.takeovers).toBeGreaterThan(faults / 200);
  await annotate(reportOf(simulated));
});

test('a seed replays exactly', async () => {
  const once = await simulateSeeds({ firstSeed: 7, faults: 500 });
  const again = await simulateSeeds({ firstSeed: 7, faults: 500 });
  expect(again.results).toEqual(once.results);
}, 60_000);

// two at a time (vitest.config.ts), because each has one thread
describe.concurrent('each mutant of the source is found, and the events that lead to it are reported', () => {
  for (const [mutant, { seed = 1 }] of Object.entries(mutants))
    test(mutant, { timeout: 60_000 }, async ({ annotate, expect: expectHere }) => {
      const { broken, results } = await simulateSeeds({ firstSeed: seed, faults: faultsPerMutant, mutant });
      expectHere(broken?.trace.at(-1)).toBe(`BROKEN: ${broken?.guarantee}`);
      await annotate(`seed ${broken?.seed}, ${sumOf(results).events} events: ${broken?.guarantee}`);
    });
});

test('an outage of ten minutes costs fewer than 70 requests, and the line is used again afterwards', async () => {
  for (const seed of [1, 2, 3]) {
    const { world, insurer } = new Simulation(seed);
    world.isFaultFree = true;
    await world.run(() => insurer.requests > 10);
    insurer.outUntilMs = world.nowMs + 600_000;
    const before = insurer.requests;
    await world.run(() => world.nowMs > insurer.outUntilMs);
    expect(insurer.requests - before).toBeLessThan(70);
    expect(insurer.requests - before).toBeGreaterThan(45);
    const { requests } = insurer;
    insurer.next('served'); // otherwise four of five seeds wait for the next minute, and again
    await world.run(() => insurer.requests > requests + 5 || world.nowMs > insurer.outUntilMs + 120_000);
    expect(insurer.requests).toBeGreaterThan(requests + 5);
  }
}, 60_000);
