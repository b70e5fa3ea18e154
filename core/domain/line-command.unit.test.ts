import { expect, test } from 'vitest';
import { lineCommandProblem, momentOf, pauseEndProblem } from './line-command.ts';

const nowMs = Date.parse('2026-11-25T08:00:00Z');

test('a moment is read with Z or an offset, and returned in UTC with milliseconds', () => {
  expect(momentOf('2026-11-25T09:00:00+01:00')).toBe('2026-11-25T08:00:00.000Z');
  expect(momentOf('2026-11-25T08:00Z')).toBe('2026-11-25T08:00:00.000Z');
  expect(momentOf('2028-02-29T08:00:00.5Z')).toBe('2028-02-29T08:00:00.500Z');
});

test.each([
  '2026-11-25T09:00:00',
  '2026-11-25',
  '2026-02-30T09:00:00Z',
  '2027-02-29T09:00:00Z',
  '2026-11-25T25:00:00Z',
  '2026-11-25 09:00:00Z',
  'tomorrow',
  '',
])('%j is no moment', (text) => {
  expect(momentOf(text)).toBeUndefined();
  expect(pauseEndProblem(text, nowMs)).toMatch(/ISO 8601/);
  expect(lineCommandProblem({ operator: 'olga', reason: 'r', until: text })).toMatch(/ISO 8601/);
});

test('a timed pause ends in the future, and within 30 days', () => {
  expect(pauseEndProblem('2026-11-25T09:00:00+01:00', nowMs)).toMatch(/in the past/);
  expect(pauseEndProblem('2026-11-25T09:00:01+01:00', nowMs)).toBeUndefined();
  expect(pauseEndProblem('2026-12-25T08:00:00Z', nowMs)).toBeUndefined();
  expect(pauseEndProblem('2026-12-25T08:00:01Z', nowMs)).toMatch(/more than 30 days/);
});
