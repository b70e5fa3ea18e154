import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insurerSecrets, sharedSecrets, workerSettings } from '../../core/config.ts';
import { startTestStack, type TestStack } from '../stack.ts';

const root = dirname(dirname(import.meta.dirname));
let stack: TestStack;
let secrets: SecretsManagerClient;
let arns: { readonly shared: string; readonly insurer: string };

beforeAll(async () => {
  stack = await startTestStack();
  Object.assign(process.env, stack.environment);
  secrets = new SecretsManagerClient({});
  const formation = new CloudFormationClient({});
  const { Stacks = [] } = await formation.send(new DescribeStacksCommand({ StackName: 'EpaSyncData' }));
  const output = (name: string): string =>
    Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === name)?.OutputValue ?? '';
  arns = { shared: output('SecretArn'), insurer: output('InsurerSecretArn') };
  formation.destroy();
}, 120_000);
afterAll(async () => {
  secrets?.destroy();
  await stack?.stop();
});

/** Runs `npm run secret`. Its environment has the variables of AWS, and nothing else of the stack. */
async function secret(args: readonly string[], value = '', more: Readonly<Record<string, string>> = {}) {
  const { PSEUDONYM_KEY: _, PAYLOAD_KEYS: __, BUCKET_NAME: ___, ...aws } = stack.environment;
  const env = { PATH: process.env['PATH'], ...aws, ...more };
  const command = spawn(process.execPath, [join(root, 'cli', 'secret.ts'), ...args], { env });
  command.stdin.on('error', () => {}); // the command may end before it reads
  command.stdin.end(value);
  const [out, errors] = await Promise.all([text(command.stdout), text(command.stderr), once(command, 'exit')]);
  return { exitCode: command.exitCode, out, errors };
}

const read = async (SecretId: string): Promise<Record<string, string>> =>
  JSON.parse((await secrets.send(new GetSecretValueCommand({ SecretId }))).SecretString ?? '');

const pem = '-----BEGIN CERTIFICATE-----\nMIIB\nAQAB\n-----END CERTIFICATE-----';

test('each value is stored in its secret with all required settings, and no value is printed', async () => {
  const first = await secret(['TEMPORAL_API_KEY'], 'key-1\n');
  expect(first).toMatchObject({ exitCode: 0, errors: '' });
  expect(first.out).toContain(`TEMPORAL_API_KEY is stored in ${arns.shared}`);
  expect(first.out).toContain('PSEUDONYM_KEY was created');
  const created = await read(arns.shared);
  expect(Object.keys(created)).toEqual([...sharedSecrets, 'OTEL_EXPORTER_OTLP_HEADERS']);
  expect(created).toMatchObject({ TEMPORAL_API_KEY: 'key-1', TEMPORAL_CLIENT_CERT: '', TEMPORAL_CLIENT_KEY: '' });
  expect(workerSettings.shape.PSEUDONYM_KEY.safeParse(created['PSEUDONYM_KEY']).success).toBe(true);
  for (const value of ['key-1', created['PSEUDONYM_KEY']]) expect(first.out).not.toContain(value);

  expect((await secret(['TEMPORAL_CLIENT_CERT'], `${pem}\n`)).out).not.toContain('PSEUDONYM_KEY');
  await secret(['TEMPORAL_API_KEY', '--empty']);
  expect(await read(arns.shared)).toEqual({ ...created, TEMPORAL_API_KEY: '', TEMPORAL_CLIENT_CERT: pem });

  await secret(['OTEL_EXPORTER_OTLP_HEADERS'], 'authorization=Bearer x,x-team=epa');
  expect(await read(arns.shared)).toMatchObject({
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer x,x-team=epa',
    TEMPORAL_CLIENT_CERT: pem,
  });

  expect((await secret(['INSURER_API_TOKEN'], 'token-1')).out).toContain(arns.insurer);
  expect((await secret(['INSURER_API_TOKEN'], 'token-2')).exitCode).toBe(0);
  const unused = Object.fromEntries(insurerSecrets.map((name) => [name, '']));
  expect(await read(arns.insurer)).toEqual({ ...unused, INSURER_API_TOKEN: 'token-2' });
  const proxy = 'http://user:word@proxy.example:3128';
  expect((await secret(['INSURER_PROXY_URL'], proxy)).out).toContain(arns.insurer);
  expect(await read(arns.insurer)).toEqual({ ...unused, INSURER_API_TOKEN: 'token-2', INSURER_PROXY_URL: proxy });
  await secret(['INSURER_PROXY_URL', '--empty']);
  expect(await read(arns.insurer)).toEqual({ ...unused, INSURER_API_TOKEN: 'token-2' });
});

test('the secrets of another deployment are its own, and never those of the default one', async () => {
  await secret(['INSURER_API_TOKEN'], 'token-of-the-default');
  const { exitCode, errors } = await secret(['INSURER_API_TOKEN'], 'token-of-kk-nord', { DEPLOYMENT: 'kk-nord' });
  expect({ exitCode, errors }).toEqual({ exitCode: 1, errors: expect.stringContaining('KkNordData') }); // is not deployed
  expect(await read(arns.insurer)).toMatchObject({ INSURER_API_TOKEN: 'token-of-the-default' });
});

test('an existing pseudonym key is never changed, and a missing one can be stored', async () => {
  const key = Buffer.alloc(32, 1).toString('base64');
  await secret(['TEMPORAL_API_KEY'], 'key');
  const before = await read(arns.shared);
  for (const args of [['PSEUDONYM_KEY'], ['PSEUDONYM_KEY', '--empty']])
    expect((await secret(args, key)).exitCode).not.toBe(0);
  expect((await secret(['PSEUDONYM_KEY'], key)).errors).toContain('all stored data is named by it');
  expect(await read(arns.shared)).toEqual(before);

  await put('x'.repeat(32)); // as CloudFormation creates it
  expect(await secret(['PSEUDONYM_KEY'], 'too short')).toMatchObject({ exitCode: 1 });
  expect(await secret(['PSEUDONYM_KEY'], key)).toMatchObject({ exitCode: 0 });
  expect(await read(arns.shared)).toMatchObject({ PSEUDONYM_KEY: key });
});

test('a wrong value or wrong usage changes nothing, and is not quoted', async () => {
  await put(`{"PSEUDONYM_KEY": "${'k'.repeat(44)}",}`); // invalid JSON that contains the key
  expect((await secret(['TEMPORAL_API_KEY'], 'key')).errors).toContain('not a JSON object');
  const wrong: readonly (readonly [args: string[], value: string])[] = [
    [[], 'secret-value'],
    [['SECRET-VALUE'], ''],
    [['TEMPORAL_API_KEY', 'secret-value'], ''],
    [['TEMPORAL_API_KEY'], ''],
    [['TEMPORAL_API_KEY'], '\n'],
    [['TEMPORAL_CLIENT_CERT'], 'secret-value'],
    [['OTEL_EXPORTER_OTLP_HEADERS'], 'secret-value'],
    [['INSURER_API_TOKEN', '--empty'], ''],
    [['INSURER_CLIENT_KEY'], 'secret-value'],
    [['INSURER_PROXY_URL'], 'secret-value'],
    [['--secret-value'], ''],
  ];
  for (const [args, value] of wrong) {
    const { exitCode, out, errors } = await secret(args, value);
    expect({ args, exitCode, out }).toEqual({ args, exitCode: expect.toBeOneOf([1, 2]), out: '' });
    expect(errors).toMatch(/^epa-sync: /);
    expect(errors).not.toMatch(/secret-value/i);
  }
  expect((await secret(['SECRET-VALUE'])).errors).toContain('OTEL_EXPORTER_OTLP_HEADERS, INSURER_API_TOKEN');
});

const put = async (SecretString: string): Promise<void> =>
  void (await secrets.send(new PutSecretValueCommand({ SecretId: arns.shared, SecretString })));
