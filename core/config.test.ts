import { expect, test } from 'vitest';
import { z } from 'zod';
import { temporalConnection } from './clients.ts';
import { readConfig, workerConfig } from './config.ts';

const schema = z.object({ KEY: z.string().min(1).optional(), COUNT: z.coerce.number().default(50), NAME: z.string() });

test('a variable that is set to nothing counts as not set', () => {
  expect(readConfig(schema, { KEY: '', COUNT: '', NAME: 'n' })).toEqual({ COUNT: 50, NAME: 'n' });
  expect(() => readConfig(schema, { NAME: '' })).toThrow(/NAME/);
});

test('all problems are told at once, by variable, and never with a value', () => {
  const read = () => readConfig(schema, { COUNT: 'secret' });
  expect(read).toThrow(/COUNT.*NAME/);
  expect(read).not.toThrow(/secret/);
});

test('Temporal on this machine is reached without TLS even with a key, any other with TLS', () => {
  const of = (TEMPORAL_ADDRESS: string) => temporalConnection({ TEMPORAL_ADDRESS, TEMPORAL_API_KEY: 'key' });
  expect(of('127.0.0.1:7233')).toMatchObject({ tls: false, apiKey: 'key' });
  expect(of('ns.tmprl.cloud:7233')).toMatchObject({ tls: true, apiKey: 'key' });
});

test('an answer of care records has 64 MiB at most, unless it is set otherwise', () => {
  const limit = workerConfig.pick({ CARE_RECORDS_MAX_BYTES: true });
  expect(readConfig(limit, {})).toEqual({ CARE_RECORDS_MAX_BYTES: 64 * 1024 * 1024 });
  expect(readConfig(limit, { CARE_RECORDS_MAX_BYTES: '1000000' })).toEqual({ CARE_RECORDS_MAX_BYTES: 1_000_000 });
  expect(() => readConfig(limit, { CARE_RECORDS_MAX_BYTES: '64 MiB' })).toThrow(/CARE_RECORDS_MAX_BYTES/);
});
