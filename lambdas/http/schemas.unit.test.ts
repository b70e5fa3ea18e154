import { expect, test } from 'vitest';
import * as schemas from './schemas.ts';

const periods = [
  ['of the access log', schemas.accessLogQuery, {}],
  ['of a report', schemas.accessReportBody, { language: 'de', format: 'pdf' }],
] as const;

test.each(periods)('a period %s does not end before it begins, in any offsets', (_whose, schema, fields) => {
  const faultsOf = (from: string, to: string) => schema.safeParse({ ...fields, from, to }).error?.issues;
  expect(faultsOf('2026-11-30T00:00:00+01:00', '2026-11-29T23:30:00Z')).toBeUndefined();
  expect(faultsOf('2026-11-30T00:00:00Z', '2026-11-30T00:30:00+01:00')).toMatchObject([
    { path: ['to'], message: 'is `from` or a later time' },
  ]);
});

test.each(periods)('a time %s without an offset is answered with an example', (_whose, schema, fields) => {
  const { error } = schema.safeParse({ ...fields, from: '2026-11-30' });
  expect(error?.issues).toMatchObject([
    { path: ['from'], message: expect.stringMatching(/with an offset, such as 2026-11-24T00:00:00\+01:00$/) },
  ]);
});

test('the days of a report for the insurer are in their order', () => {
  const days = { from: '2026-11-30', to: '2026-11-29' };
  expect(schemas.insurerReportQuery.safeParse(days).error?.issues).toMatchObject([{ path: ['to'] }]);
});
