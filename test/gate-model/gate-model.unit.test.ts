import { describe, expect, test } from 'vitest';
import { type Budget, brokenRules, exploreGate } from './model.ts';

const quiet: Budget = {
  delays: 1,
  freezes: 0,
  crashes: 0,
  stops: 0,
  lostAnswers: 0,
  arrivals: 1,
  pauses: 1,
  resumes: 0,
  ends: 0,
  endless: 0,
};
const worlds: Readonly<Record<string, Budget>> = {
  'one process freezes': { ...quiet, freezes: 1 },
  'one worker is killed': { ...quiet, crashes: 1 },
  'one worker is stopped': { ...quiet, stops: 1 },
  'an answer is lost, and its write arrives late or twice': { ...quiet, lostAnswers: 1, arrivals: 2 },
  'the line is paused twice and resumed twice': { ...quiet, pauses: 2, resumes: 2 },
  'a timed pause is extended, overlaps with another one, and ends': {
    ...quiet,
    delays: 0,
    pauses: 2,
    ends: 2,
    endless: 1,
  },
};
const timeout = 120_000; // takes seconds on a free core; the machine may be busy

describe('there are never two senders, no sender on a line that is confirmed silent, and no early end of a pause', () => {
  for (const [what, budget] of Object.entries(worlds))
    test(what, { timeout }, ({ annotate }) => {
      const { broken, states, seen } = exploreGate(budget);
      expect(broken).toBeUndefined();
      const remarkable = ['a request is in flight', 'a pause is confirmed', 'the line was taken over'];
      if (budget.resumes > 0) remarkable.push('the line was resumed');
      if (budget.ends > 0) remarkable.push('the timer opened the line');
      expect(Object.keys(seen)).toEqual(expect.arrayContaining(remarkable)); // otherwise the model proves nothing
      return annotate(`${states} states`);
    });
});

describe('each rule is needed: without it the model finds a broken guarantee', () => {
  for (const [what, { rules, budget }] of Object.entries(brokenRules))
    test(what, { timeout }, ({ annotate }) => {
      const { broken } = exploreGate({ ...quiet, ...budget }, rules);
      expect(broken).toBeDefined();
      return annotate([broken?.guarantee, ...(broken?.trace ?? [])].join('\n  '));
    });
});
