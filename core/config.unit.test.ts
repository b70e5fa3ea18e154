import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { configurationPage } from '../docs/configuration-page.ts';
import { apiSettings, clientConfig, readConfig, workerConfig, workerSettings } from './config.ts';
import { temporalConnection } from './temporal/connection.ts';

const schema = z.object({ KEY: z.string().min(1).optional(), COUNT: z.coerce.number().default(50), NAME: z.string() });

test('an empty variable counts as not set', () => {
  expect(readConfig(schema, { KEY: '', COUNT: '', NAME: 'n' })).toEqual({ COUNT: 50, NAME: 'n' });
  expect(() => readConfig(schema, { NAME: '' })).toThrow(/NAME/);
});

test('the error lists all problems together, by variable, and never shows a value', () => {
  const read = () => readConfig(schema, { COUNT: 'secret' });
  expect(read).toThrow(/COUNT.*NAME/);
  expect(read).not.toThrow(/secret/);
});

test('Temporal on a loopback address is reached without TLS even with a key, any other address with TLS', () => {
  const of = (TEMPORAL_ADDRESS: string) => temporalConnection({ TEMPORAL_ADDRESS, TEMPORAL_API_KEY: 'key' });
  expect(of('127.0.0.1:7233')).toMatchObject({ tls: false, apiKey: 'key' });
  expect(of('ns.tmprl.cloud:7233')).toMatchObject({ tls: true, apiKey: 'key' });
});

test('the default limit of an answer with care records is 64 MiB', () => {
  const limit = workerSettings.pick({ CARE_RECORDS_MAX_BYTES: true });
  expect(readConfig(limit, {})).toEqual({ CARE_RECORDS_MAX_BYTES: 64 * 1024 * 1024 });
  expect(readConfig(limit, { CARE_RECORDS_MAX_BYTES: '1000000' })).toEqual({ CARE_RECORDS_MAX_BYTES: 1_000_000 });
  expect(() => readConfig(limit, { CARE_RECORDS_MAX_BYTES: '64 MiB' })).toThrow(/CARE_RECORDS_MAX_BYTES/);
});

test('two o’clock is refused, because summer time skips it once a year, and quiet hours that cannot be read are refused', () => {
  const settings = workerSettings.pick({ SYNC_HOUR: true, RUN_DUE_HOUR: true, LINE_QUIET_HOURS: true });
  const given = { SYNC_HOUR: '1', RUN_DUE_HOUR: '3', LINE_QUIET_HOURS: 'Mon-Fri 08:00-18:00' };
  expect(readConfig(settings, given)).toEqual({ ...given, SYNC_HOUR: 1, RUN_DUE_HOUR: 3 });
  expect(readConfig(settings, {})).toEqual({ SYNC_HOUR: 3, RUN_DUE_HOUR: 8, LINE_QUIET_HOURS: '' });
  for (const name of ['SYNC_HOUR', 'RUN_DUE_HOUR'])
    expect(() => readConfig(settings, { ...given, [name]: '2' })).toThrow(new RegExp(`${name}: is 2, .*summer time`));
  expect(() => readConfig(settings, { ...given, LINE_QUIET_HOURS: 'Mon-Fri 08:00-18:00, Sat 8-12' })).toThrow(
    /LINE_QUIET_HOURS: window 2: is not days and two times/,
  );
});

test('exactly one of PAYLOAD_KMS_KEY and PAYLOAD_KEYS is required, and the error is reported with all others', () => {
  const keys = { PAYLOAD_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` };
  const kms = { PAYLOAD_KMS_KEY: 'arn:aws:kms:eu-central-1:000000000000:key/1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e' };
  const base = {
    BUCKET_NAME: 'bucket',
    ANCHOR_BUCKET_NAME: 'anchors',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    INSURER_ID: 'kk-nord',
    PSEUDONYM_KEY: Buffer.alloc(32).toString('base64'),
  };
  expect(readConfig(clientConfig, { ...base, ...keys })).toMatchObject(keys);
  expect(readConfig(clientConfig, { ...base, ...kms, PAYLOAD_KEYS: '' })).toMatchObject(kms);
  expect(() => readConfig(clientConfig, base)).toThrow(
    /PAYLOAD_KMS_KEY: set exactly one of PAYLOAD_KMS_KEY and PAYLOAD_KEYS/,
  );
  expect(() => readConfig(clientConfig, { ...base, ...keys, ...kms })).toThrow(/set exactly one/);
  expect(() => readConfig(clientConfig, { ...keys, ...kms })).toThrow(/BUCKET_NAME.*set exactly one/);
  expect(() => readConfig(clientConfig, { ...base, PAYLOAD_KMS_KEY: 'alias/payload' })).toThrow(/ARN of a KMS key/);
});

test('OIDC_AUDIENCE is a list, and a list without any audience is refused', () => {
  const settings = apiSettings.pick({ OIDC_AUDIENCE: true });
  expect(readConfig(settings, { OIDC_AUDIENCE: 'epa-sync-api' })).toEqual({ OIDC_AUDIENCE: ['epa-sync-api'] });
  expect(readConfig(settings, { OIDC_AUDIENCE: 'console, program' })).toEqual({
    OIDC_AUDIENCE: ['console', 'program'],
  });
  expect(() => readConfig(settings, {})).toThrow(/OIDC_AUDIENCE: must be set/);
  expect(() => readConfig(settings, { OIDC_AUDIENCE: ' , ' })).toThrow(/OIDC_AUDIENCE: must not be empty/);
});

test('docs/reference/configuration.md is up to date with the schemas (if not, run npm run docs)', () => {
  const page = readFileSync(new URL('../docs/reference/configuration.md', import.meta.url), 'utf8');
  expect(page).toBe(configurationPage());
});

test.each(['secret\n', 'sec ret', 'sécret', '\u0000'])(
  'a token that no header may have is refused by name: %j',
  (token) => {
    const tokens = workerSettings.pick({ INSURER_API_TOKEN: true });
    expect(() => readConfig(tokens, { INSURER_API_TOKEN: token })).toThrow(/INSURER_API_TOKEN: has a line break/);
    expect(readConfig(tokens, { INSURER_API_TOKEN: 'a.b-c~d+e/f=' })).toEqual({ INSURER_API_TOKEN: 'a.b-c~d+e/f=' });
  },
);

const workerBase = {
  BUCKET_NAME: 'bucket',
  ANCHOR_BUCKET_NAME: 'anchors',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  INSURER_ID: 'kk-nord',
  PSEUDONYM_KEY: Buffer.alloc(32).toString('base64'),
  PAYLOAD_KEYS: `k1:${Buffer.alloc(32).toString('base64')}`,
  INSURER_BASE_URL: 'https://leitung.kk.example',
  INSURER_API_TOKEN: 'token',
};
const readWorker = (more: NodeJS.ProcessEnv) => () => readConfig(workerConfig, { ...workerBase, ...more });

test('a client certificate for the insurer is refused by name unless it is PEM, and has its own key', async () => {
  const [own, other] = [await generate(), await generate()];
  const [cert, key] = [own.cert, own.private];
  const pair = { INSURER_CLIENT_CERT: cert, INSURER_CLIENT_KEY: key };
  expect(readWorker({ ...pair, INSURER_CA: `${other.cert}\n${own.cert}` })()).toMatchObject(pair);
  expect(readWorker({ ...pair, INSURER_CLIENT_CERT: `${cert}\n${other.cert}` })()).toMatchObject({
    INSURER_CLIENT_KEY: key,
  });
  for (const half of [{ INSURER_CLIENT_CERT: cert }, { INSURER_CLIENT_KEY: key }])
    expect(readWorker(half)).toThrow(/INSURER_CLIENT_KEY: set both INSURER_CLIENT_CERT and INSURER_CLIENT_KEY/);
  expect(readWorker({ ...pair, INSURER_CLIENT_KEY: other.private })).toThrow(
    /INSURER_CLIENT_KEY: is not the key of INSURER_CLIENT_CERT/,
  );
  const encrypted = createPrivateKey(key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  for (const wrong of ['/etc/client.key', cert, String(encrypted)])
    expect(readWorker({ ...pair, INSURER_CLIENT_KEY: wrong })).toThrow(/INSURER_CLIENT_KEY: is a private key in PEM/);
  for (const wrong of ['/etc/client.pem', key, cert.replace(/M/, 'N')])
    for (const name of ['INSURER_CLIENT_CERT', 'INSURER_CA']) {
      expect(readWorker({ ...pair, [name]: wrong })).toThrow(`${name}: is a certificate in PEM`);
      expect(readWorker({ ...pair, [name]: wrong })).not.toThrow(/BEGIN|etc/);
    }
});

test('a proxy is an http URL with nothing but host, port, user and password', () => {
  for (const proxy of ['http://proxy.klinik.example:3128', 'http://us%40er:p%3Aw@[::1]:3128'])
    expect(readWorker({ INSURER_PROXY_URL: proxy })()).toMatchObject({ INSURER_PROXY_URL: proxy });
  for (const proxy of ['proxy:3128', 'https://proxy:3128', 'socks5://proxy', 'http://proxy/x', 'http://u:%zz@proxy'])
    expect(readWorker({ INSURER_PROXY_URL: proxy })).toThrow(/INSURER_PROXY_URL: is http:/);
});

test('care records are refreshed after a positive number of days, and by default never', () => {
  expect(readWorker({})()).not.toHaveProperty('CARE_REFRESH_AFTER_DAYS');
  expect(readWorker({ CARE_REFRESH_AFTER_DAYS: '30' })()).toMatchObject({ CARE_REFRESH_AFTER_DAYS: 30 });
  for (const wrong of ['0', '-1', 'weekly', 'Infinity'])
    expect(readWorker({ CARE_REFRESH_AFTER_DAYS: wrong })).toThrow(
      /CARE_REFRESH_AFTER_DAYS: is a number of days above 0, at most 3 650/,
    );
});

test('the list has ten minutes until its first byte', () => {
  expect(readWorker({})()).toMatchObject({ LIST_FIRST_BYTE_MS: 600_000, LINE_STALL_MS: 15_000 });
});

test('the error of a wrong setting says what it must be, without its value', () => {
  const schema = z.object({
    NUMBER: z.coerce.number(),
    WHOLE: z.coerce.number().int().min(1).max(5),
    LARGE: z.coerce.number().max(4),
    SMALL: z.coerce.number().min(2),
    MISSING: z.string(),
    CHOICE: z.enum(['strong', 'weak']),
    FLAG: z.stringbool(),
    URL: z.url(),
    TEXT: z.string().max(3),
  });
  const wrong = {
    NUMBER: 'x7',
    WHOLE: '1.5',
    LARGE: '77',
    SMALL: '0.7',
    CHOICE: 'x7',
    FLAG: 'x7',
    URL: 'x7',
    TEXT: 'x7x7',
  };
  const problems = [
    'NUMBER: must be a number',
    'WHOLE: must be a whole number',
    'LARGE: must be at most 4',
    'SMALL: must be at least 2',
    'MISSING: must be set',
    'CHOICE: must be strong or weak',
    'FLAG: must be true or false',
    'URL: must be a URL, such as https://insurer.example',
    'TEXT: must be at most 3 characters long',
  ];
  expect(() => readConfig(schema, wrong)).toThrow(expect.objectContaining({ problems }));
});
