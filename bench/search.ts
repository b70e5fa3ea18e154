import { createSecretKey } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BatchWriteCommand, DeleteCommand, DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { nameHashesOf } from '../core/crypto/name-hashes.ts';
import { shardOf } from '../core/domain/shard.ts';
import { findPeople } from '../core/stores/find-people.ts';
import { forEachParallel } from '../core/stores/parallel.ts';
import { searchesMax } from '../core/stores/search-limits.ts';
import { defaultTables } from '../core/stores/tables.ts';
import { openApi } from '../test/api.fixture.ts';
import { startDay } from '../test/day.fixture.ts';

/**
 * Measures how long a search by name takes among a million people: in the table alone, and as a whole request. A request has the
 * access entries of all hits, through API Gateway, Lambda and Temporal, on the emulator of the laptop. Surnames are as
 * frequent as in Germany: one in a hundred is a Müller. `BENCH_PEOPLE` sets how many people there are.
 */
const people = Number(process.env['BENCH_PEOPLE'] ?? 1_000_000);
const searches = 300;
const goalMs = 300;

/** People with this surname, of a thousand. All others share ten thousand made-up ones. */
const surnames: readonly (readonly [string, number])[] = [
  ['Müller', 10],
  ['Schmidt', 7],
  ['Schneider', 5],
  ['Fischer', 4],
  ['Meyer', 3],
  ['Weber', 3],
];
const givenNames = ['Anna', 'Änne', 'Ben', 'Clara', 'Emil', 'Finn', 'Greta', 'Ida', 'Jonas', 'Lena', 'Mia', 'Paul'];
const syllables = ['ba', 'der', 'fi', 'gro', 'hei', 'kra', 'len', 'mo', 'ne', 'rich'];

await using day = await startDay({ patients: 20, rate: 0 }, {}, { api: true });
const { call } = await openApi(day.stack);
await day.startWorker();
await day.runToEnd();
const { environment } = day.stack;
const pseudonymKey = Buffer.from(environment['PSEUDONYM_KEY'] ?? '', 'base64');
const key = createSecretKey(pseudonymKey);
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient({}));

const birthDates = 90 * 12 * 28;
/** Returns a number that differs for people with the same birth date. */
const mixed = (index: number, one: number, other: number): number =>
  Math.floor(index / birthDates) * one + (index % birthDates) * other;
const surnameAt = (index: number): string => {
  let share = mixed(index, 379, 613) % 1_000;
  for (const [name, ofThousand] of surnames) {
    if (share < ofThousand) return name;
    share -= ofThousand;
  }
  const made = [1, 10, 100, 1_000]
    .map((place) => syllables[Math.floor(mixed(index, 7_919, 104_729) / place) % 10])
    .join('');
  return `${made.charAt(0).toUpperCase()}${made.slice(1)}`;
};
/** People of the last 90 years; 28 days a month are enough. */
const bornAt = (index: number): string => {
  const day = (index * 2_654_435_761) % birthDates;
  const two = (number: number) => String(number).padStart(2, '0');
  return `${1935 + Math.floor(day / 336)}-${two((Math.floor(day / 28) % 12) + 1)}-${two((day % 28) + 1)}`;
};
const personAt = (index: number) => ({
  familyName: surnameAt(index),
  givenName: givenNames[mixed(index, 5, 7) % givenNames.length] ?? '',
  birthDate: bornAt(index),
});
const itemAt = (index: number) => {
  const patientRef = ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0').padEnd(32, '0');
  const address = { street: 'Musterstraße 12', postalCode: '12345', city: 'Musterstadt' };
  const body = JSON.stringify({ ...personAt(index), gender: 'unknown', address });
  const listed = { listId: 'list', as: 'new' };
  const stored = {
    kvnr: 'X000000000',
    body,
    contentHash: '',
    careState: 'current',
    listed,
    revision: 1,
    incarnation: 1,
  };
  return { shard: shardOf(patientRef), patientRef, ...stored, ...nameHashesOf({ body, contentHash: '' }, key) };
};

const fromMs = performance.now();
const batches = Array.from({ length: people / 25 }, (_, batch) => batch * 25);
await forEachParallel(batches, 16, async (from) => {
  const requests = Array.from({ length: 25 }, (_, of) => ({ PutRequest: { Item: itemAt(from + of) } }));
  await dynamo.send(new BatchWriteCommand({ RequestItems: { [defaultTables.patients]: requests } }));
});
console.log(`${people} people stored in ${Math.round((performance.now() - fromMs) / 1000)} s`);

/** Allows further searches: the bench has one token. */
async function forgetLimits(): Promise<void> {
  const TableName = defaultTables.syncRuns;
  const limits = {
    TableName,
    FilterExpression: 'contains(insurerId, :searches)',
    ExpressionAttributeValues: { ':searches': '#searches' },
  };
  const { Items = [] } = await dynamo.send(new ScanCommand(limits));
  for (const { insurerId, runId } of Items)
    await dynamo.send(new DeleteCommand({ TableName, Key: { insurerId, runId } }));
}

const kinds = {
  'birth date, first letter': ({ familyName, birthDate }) => ({ birthDate, familyName: familyName.slice(0, 1) }),
  'birth date, surname': ({ familyName, birthDate }) => ({ birthDate, familyName }),
  'birth date, given name': ({ givenName, birthDate }) => ({ birthDate, givenName }),
} satisfies Record<string, (person: ReturnType<typeof personAt>) => object>;

console.log(`\nOne of ${people} people is searched. Goal: p99 ${goalMs} ms\n`);
console.log(
  '| search by | measured | searches | hits, mean | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|---|',
);
for (const [kind, of] of Object.entries(kinds)) {
  const personOf = (number: number) => personAt((number * 104_729) % people);
  await row(kind, 'in the table', async (number) => {
    const startedMs = performance.now();
    const hits = await findPeople(day.stores.patients, of(personOf(number)), pseudonymKey);
    return { tookMs: performance.now() - startedMs, hits: hits?.length ?? 0 };
  });
  await row(kind, 'whole request', async (number) => {
    if (number % (searchesMax - 10) === 0) await forgetLimits();
    const { status, tookMs, json } = await call('searchPatients', { body: of(personOf(number)) });
    if (status !== 200) throw new Error(`a search was answered ${status}`);
    return { tookMs, hits: json.hits?.length ?? 0 };
  });
}

async function row(
  kind: string,
  measured: string,
  search: (number: number) => Promise<{ readonly tookMs: number; readonly hits: number }>,
): Promise<void> {
  await search(0); // the first one opens connections
  const all: { readonly tookMs: number; readonly hits: number }[] = [];
  for (let number = 1; number <= searches; number += 1) all.push(await search(number));
  const sorted = all.map(({ tookMs }) => tookMs).toSorted((one, other) => one - other);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0));
  const mean = (all.reduce((sum, { hits }) => sum + hits, 0) / all.length).toFixed(1);
  console.log(`| ${kind} | ${measured} | ${all.length} | ${mean} | ${p50} | ${p99} | ${max} |`);
}
