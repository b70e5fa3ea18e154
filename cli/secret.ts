import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { ConfigError, readConfig, sharedSecrets, workerSettings } from '../core/config.ts';
import { keepLoopbackDirect } from '../local/proxy.ts';
import { explain } from '../terminal/start-failure.ts';
import { readDataOutputs } from './data-outputs.ts';

keepLoopbackDirect(process.env);

/** What else the shared secret may hold; a worker asks for it where there is a collector (infra/stacks/worker-stack.ts). */
const collectorHeaders = 'OTEL_EXPORTER_OTLP_HEADERS';
const names = [...sharedSecrets, collectorHeaders, 'INSURER_API_TOKEN'] as const;
const shapes = {
  ...workerSettings.shape,
  [collectorHeaders]: z
    .string()
    .regex(/^[^=,\s]+=[^,]+(,[^=,\s]+=[^,]+)*$/, 'is name=value, comma-separated')
    .optional(),
};
type SecretName = (typeof names)[number];

const usage = `npm run secret -- <name> < value, or --empty: puts one secret setting where workers and Lambdas read it
  <name>     ${names.join(', ')}
  --empty    it is not used any more
The value comes on stdin, and nowhere else: an argument can be read by everyone on the machine. It may have several lines; a line
break at its end is cut. All others stay as they are. PSEUDONYM_KEY is made with the first one, and never changed.
Where: the account and the region of AWS's own variables (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on).
Exit codes: 0 done, 1 failed, 2 wrong usage`;

/** What a person can mend; never quotes what was typed, as that might be the value. */
class SecretFailure extends Error {
  override readonly name = 'SecretFailure';
  readonly exitCode: 1 | 2;
  constructor(exitCode: 1 | 2, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

const settings = z.record(z.string(), z.string());
type Settings = z.infer<typeof settings>;

/** CloudFormation makes a secret with a random text of 32 characters: no room for a key, so nothing can be lost with it. */
const unusedLength = 32;

function settingsIn(secret: string): Settings {
  try {
    return settings.parse(JSON.parse(secret));
  } catch (cause) {
    if (secret.length <= unusedLength) return {};
    throw new SecretFailure(1, 'the secret is not a JSON object of texts: nothing was changed', { cause });
  }
}

/** @returns the settings with that one changed, and all there that has to be */
function withOne(before: Settings, name: SecretName, value: string): Settings {
  if (name === 'INSURER_API_TOKEN') return { ...before, [name]: value };
  if (name === 'PSEUDONYM_KEY' && before['PSEUDONYM_KEY'])
    throw new SecretFailure(1, 'PSEUDONYM_KEY is never changed: everything that is stored is named by it');
  const unused = Object.fromEntries([...sharedSecrets, collectorHeaders].map((shared) => [shared, '']));
  const key = before['PSEUDONYM_KEY'] || randomBytes(32).toString('base64');
  return { ...unused, ...before, PSEUDONYM_KEY: key, [name]: value };
}

async function readValue(name: SecretName, isEmpty: boolean): Promise<string> {
  const schema = z.object({ [name]: shapes[name] });
  if (isEmpty) {
    readConfig(schema, {}); // what is always needed is refused
    return '';
  }
  if (process.stdin.isTTY)
    throw new SecretFailure(
      2,
      `the value comes on stdin: read -rs VALUE; printf %s "$VALUE" | npm run secret -- ${name}`,
    );
  const value = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (value === '')
    throw new SecretFailure(2, `nothing came on stdin: nothing was changed (--empty: ${name} is not used)`);
  readConfig(schema, { [name]: value });
  return value;
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) return say(usage);
  const [typed, ...rest] = positionals;
  const name = names.find((known) => known === typed);
  if (name === undefined || rest.length > 0)
    throw new SecretFailure(
      2,
      `${typed === undefined ? 'a name is needed' : 'no such name, or more than one'}\n${usage}`,
    );
  const value = await readValue(name, values.empty);
  const { SecretArn, InsurerSecretArn } = await readDataOutputs();
  const SecretId = name === 'INSURER_API_TOKEN' ? InsurerSecretArn : SecretArn;
  const secrets = new SecretsManagerClient({});
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  const before = settingsIn(SecretString);
  const after = withOne(before, name, value);
  await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(after) }));
  say(`${name} is ${value === '' ? 'empty' : 'put'} in ${SecretId}: workers and Lambdas read it when they start`);
  if (name !== 'PSEUDONYM_KEY' && after['PSEUDONYM_KEY'] !== before['PSEUDONYM_KEY'])
    say('PSEUDONYM_KEY was made: keep a copy of it where you keep what must never be lost');
}

function readArguments() {
  const boolean = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { empty: boolean, help: boolean }, allowPositionals: true });
  } catch {
    throw new SecretFailure(2, `no such option\n${usage}`);
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  await main();
} catch (error) {
  const isTold = error instanceof SecretFailure || error instanceof ConfigError;
  process.stderr.write(`epa-sync: ${isTold ? error.message : explain(error)}\n`);
  process.exitCode = error instanceof SecretFailure ? error.exitCode : 1;
}
