import { allStates, allWrites } from './coverage.ts';
import { faultKinds } from './faults.ts';
import type { SeedsResult } from './seeds.ts';
import type { SimulationResult } from './simulation.ts';

/** Sums up all results. */
export function sumOf(results: readonly SimulationResult[]) {
  const sum = (of: (result: SimulationResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const counts = (of: (result: SimulationResult) => Readonly<Record<string, number>>, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, sum((result) => of(result)[name] ?? 0)]));
  const faults = counts(({ faults }) => faults, faultKinds);
  return {
    faults,
    faultsInAll: Object.values(faults).reduce((total, count) => total + count, 0),
    states: counts(({ states }) => states, allStates),
    writes: counts(({ writes }) => writes, allWrites),
    events: sum(({ events }) => events),
    requests: sum(({ requests }) => requests),
    confirmedPauses: sum(({ confirmedPauses }) => confirmedPauses),
    takeovers: sum(({ takeovers }) => takeovers),
    lostCooldowns: sum(({ lostCooldowns }) => lostCooldowns),
    outages: sum(({ outages }) => outages),
    keptTurns: sum(({ keptTurns }) => keptTurns),
    hours: sum(({ simulatedMs }) => simulatedMs) / 3_600_000,
  };
}

/** Returns tables of the results. For a broken guarantee, adds the events before it and the command that repeats it. */
export function reportOf({ results, seconds, broken }: SeedsResult): string {
  const sums = sumOf(results);
  const table = (title: string, counts: Readonly<Record<string, number>>): string[] => [
    '',
    title,
    ...Object.entries(counts).map(([name, count]) => `  ${name.padEnd(62)}${count || 'never'}`),
  ];
  const summary = [
    `${sums.faultsInAll} faults, ${sums.events} events in ${seconds.toFixed(1)} s:`,
    `${Math.round(sums.faultsInAll / seconds)} faults a second; ${sums.hours.toFixed(1)} simulated hours;`,
    `${sums.requests} requests, ${sums.confirmedPauses} pauses confirmed, ${sums.takeovers} takeovers, ${sums.outages} waits in an outage, ${sums.keptTurns} turns kept;`,
    `${sums.lostCooldowns} requests against a Retry-After whose only receiver died or was disconnected`,
  ].join(' ');
  const tables = [
    ...table('faults', sums.faults),
    ...table('writes of the gate', sums.writes),
    ...table('states of the gate', sums.states),
  ];
  if (broken === undefined) return [...tables, '', summary, 'every guarantee was kept'].join('\n');
  const { seed, faults, guarantee, trace } = broken;
  return [
    ...trace,
    '',
    summary,
    `seed ${seed} breaks a guarantee: ${guarantee}`,
    `to repeat it: npm run simulate -- --seed ${seed} --faults ${faults}`,
  ].join('\n');
}
