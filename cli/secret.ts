import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { z } from 'zod';
import { insurerSecrets, readConfig, sharedSecrets, workerSettings } from '../core/config.ts';
import { keepLoopbackDirect } from '../local/proxy.ts';
import { CommandError } from './command-error.ts';
import { readDataOutputs } from './data-outputs.ts';
import { say } from './output.ts';
import { createProgram, runProgram, type UsageMessages } from './program.ts';

keepLoopbackDirect(process.env);

/** Also in the shared secret. A worker reads it if the deployment has a collector (infra/stacks/worker-stack.ts). */
const collectorHeaders = 'OTEL_EXPORTER_OTLP_HEADERS';
const names = [...sharedSecrets, collectorHeaders, ...insurerSecrets] as const;
const shapes = {
  ...workerSettings.shape,
  [collectorHeaders]: z
    .string()
    .regex(/^[^=,\s]+=[^,]+(,[^=,\s]+=[^,]+)*$/, 'is name=value, comma-separated')
    .optional(),
};
type SecretName = (typeof names)[number];

const notes = `
<name> is one of ${names.join(', ')}.
The value comes only from stdin, because every process on the machine can read an argument. It may have several lines. One
line break at its end is removed. All other settings stay as they are. The first setting also creates PSEUDONYM_KEY, which
the command never changes. The account and the region come from the variables of AWS (AWS_PROFILE, AWS_REGION,
AWS_ENDPOINT_URL and so on), and the deployment from DEPLOYMENT, if the account holds several.

Exit codes: 0 done, 1 failed, 2 wrong usage`;

/** Unlike those of commander, these messages do not quote the arguments, as one of them might be the secret. */
const usageMessages: UsageMessages = {
  'commander.unknownOption': 'unknown option',
  'commander.excessArguments': 'too many arguments',
};

const settings = z.record(z.string(), z.string());
type Settings = z.infer<typeof settings>;

/** CloudFormation creates a secret with a random text of 32 characters, which is too short to contain a key. */
const unusedLength = 32;

function settingsIn(secret: string): Settings {
  try {
    return settings.parse(JSON.parse(secret));
  } catch (cause) {
    if (secret.length <= unusedLength) return {};
    throw new CommandError('failed', 'the secret is not a JSON object of texts. Nothing was changed.', { cause });
  }
}

const isOfInsurer = (name: SecretName): boolean => insurerSecrets.some((each) => each === name);

const unused = (all: readonly SecretName[]): Settings => Object.fromEntries(all.map((each) => [each, '']));

/** Returns the settings with one changed. Adds those that workers require. */
function withSetting(before: Settings, name: SecretName, value: string): Settings {
  if (isOfInsurer(name)) return { ...unused(insurerSecrets), ...before, [name]: value };
  if (name === 'PSEUDONYM_KEY' && before['PSEUDONYM_KEY'])
    throw new CommandError('failed', 'PSEUDONYM_KEY exists, and cannot be changed: all stored data is named by it');
  const key = before['PSEUDONYM_KEY'] || randomBytes(32).toString('base64');
  return { ...unused([...sharedSecrets, collectorHeaders]), ...before, PSEUDONYM_KEY: key, [name]: value };
}

async function readValue(name: SecretName, isEmpty: boolean): Promise<string> {
  const schema = z.object({ [name]: shapes[name] });
  if (isEmpty) {
    readConfig(schema, {}); // throws for settings that are required
    return '';
  }
  if (process.stdin.isTTY)
    throw new CommandError(
      'usage',
      `the value must come from stdin: read -rs VALUE; printf %s "$VALUE" | npm run secret -- ${name}`,
    );
  const value = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (value === '')
    throw new CommandError('usage', `stdin was empty. Nothing was changed. Use --empty if ${name} is no longer used.`);
  readConfig(schema, { [name]: value });
  return value;
}

/** Stores one setting. Never prints what was typed, as that might be the value. */
async function storeSecret(typed: string, { empty: isEmpty = false }: { readonly empty?: boolean }): Promise<void> {
  const name = names.find((known) => known === typed);
  if (name === undefined) throw new CommandError('usage', `unknown name. Use one of ${names.join(', ')}.`);
  const value = await readValue(name, isEmpty);
  const { DEPLOYMENT, SecretArn, InsurerSecretArn } = await readDataOutputs();
  const SecretId = isOfInsurer(name) ? InsurerSecretArn : SecretArn;
  const secrets = new SecretsManagerClient({});
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  const before = settingsIn(SecretString);
  const after = withSetting(before, name, value);
  await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(after) }));
  say(
    `${name} is ${value === '' ? 'empty' : 'stored'} in ${SecretId} of ${DEPLOYMENT}: workers and Lambdas read it when they start`,
  );
  if (name !== 'PSEUDONYM_KEY' && after['PSEUDONYM_KEY'] !== before['PSEUDONYM_KEY'])
    say('PSEUDONYM_KEY was created: keep a copy of it in a safe place, because without it all stored data is lost');
}

const program = createProgram('npm run secret --')
  .description('Stores one secret setting in Secrets Manager, where workers and Lambdas read it.')
  .usage('[options] <name> < value')
  .argument('<name>', 'name of the setting')
  .option('--empty', 'store an empty value: the setting is no longer used')
  .addHelpText('after', notes)
  .action(storeSecret);
process.exitCode = await runProgram(program, process.argv.slice(2), usageMessages);
