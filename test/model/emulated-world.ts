import { AsyncLocalStorage } from 'node:async_hooks';
import { createSecretKey, randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { BatchWriteCommand, DynamoDBDocumentClient, paginateQuery, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { patientRefOf } from '../../core/crypto/pseudonyms.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import type { CareState, Standing } from '../../core/domain/patient.ts';
import { shards } from '../../core/domain/shard.ts';
import { type Bucket, listKeys } from '../../core/stores/objects.ts';
import { storesOver } from '../../core/stores/open-stores.ts';
import type { PatientsStore } from '../../core/stores/patients.ts';
import { defaultTables } from '../../core/stores/tables.ts';
import { kvnrOf } from '../../simulator/kvnr-numbers.ts';
import { endSyncIn } from '../../worker/activities/end-sync.fixture.ts';
import { createLineActivities } from '../../worker/activities/line-activities.ts';
import { createListActivities } from '../../worker/activities/list-activities.ts';
import { listTrustMs } from '../../worker/activities/list-fence.ts';
import { createSyncActivities } from '../../worker/activities/sync-activities.ts';
import type { InsurerClient } from '../../worker/insurer/insurer-client.ts';
import { LineError } from '../../worker/line/line-error.ts';
import { noTransfers } from '../../worker/reporting/no-transfers.fixture.ts';
import {
  type Activities,
  type ActivityName,
  type AnswerOf,
  FinalFailure,
  type InputOf,
  type Work,
} from './commands.ts';
import type { Fault } from './history.ts';
import type { Entry, Insurer } from './insurer.ts';
import { type Content, type Stored, type StoredPerson, takeFault, type World } from './world.ts';

/** One attempt of an activity, with what goes wrong. */
interface Attempt {
  readonly name: string;
  readonly number: number;
  readonly input: unknown;
  readonly fault: Fault | undefined;
  calls: number;
  hasDied: boolean;
  /** it has stood still, and has been given up */
  isLate: boolean;
  /** what its monotonic clock is ahead: the time for which it has stood still */
  clockAheadMs: number;
  /** settles once a call to AWS stands still */
  readonly reached: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
  /** Ends what waits for the store, once the process has died. */
  end: () => void;
}

class Died extends Error {
  override readonly name = 'Died';
}

const attempts = new AsyncLocalStorage<Attempt>();

// An attempt sees by its clock that it has stood still. The test does not wait for that long.
const systemNow = performance.now.bind(performance);
performance.now = () => systemNow() + (attempts.getStore()?.clockAheadMs ?? 0);
const standstillMs = { stands: 60_000, 'cut-off': listTrustMs + 1 };

/** Lets each call to AWS of an attempt pass, stand still, or fail. */
async function pass<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  const attempt = attempts.getStore();
  if (attempt?.fault === undefined) return await call();
  if (attempt.hasDied) throw new Died();
  const { at, how } = attempt.fault;
  const number = attempt.calls++;
  const isStill = how !== 'dies' && how !== 'answer-lost';
  if (number >= at && isStill) {
    attempt.reached.resolve();
    await attempt.released.promise;
  }
  if (number !== at || isStill) return await call();
  attempt.hasDied = true;
  if (how === 'answer-lost') await call();
  attempt.end();
  throw new Died();
}

/** The clients of a thread, for the emulator at AWS_ENDPOINT_URL. */
export function openModelClients() {
  const client = new DynamoDBClient({});
  const s3 = new S3Client({});
  const stacks = [client.middlewareStack, s3.middlewareStack] as { add(middleware: unknown, place: object): void }[];
  for (const stack of stacks)
    stack.add((next: (args: unknown) => Promise<unknown>) => async (args: unknown) => await pass(() => next(args)), {
      step: 'initialize',
      priority: 'high',
    });
  const dynamo = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const bucket: Bucket = { s3, name: process.env['BUCKET_NAME'] ?? '' };
  const anchorBucket: Bucket = { s3, name: process.env['ANCHOR_BUCKET_NAME'] ?? '' };
  return { client, dynamo, bucket, anchorBucket };
}
type ModelClients = ReturnType<typeof openModelClients>;

const openModelStores = ({ client, ...clients }: ModelClients) =>
  storesOver({ ...clients, gateClient: client, tables: defaultTables });

const silent = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** Runs the real activities on real stores. Its people are in one shard, so that few calls find all of them. */
export class EmulatedWorld implements World {
  readonly insurerId: string;
  readonly shardRanges;
  readonly hasCallsInFlight = true;
  readonly lateAttempts: (() => Promise<void>)[] = [];
  readonly runSuffix: string;
  nextFault: Fault | undefined;
  readonly faultyLists = new Set<string>();
  readonly armed = new Map<ActivityName, Fault>();
  readonly #clients: ModelClients;
  readonly #stores;
  readonly #insurer: Insurer;
  readonly #pseudonymKey = randomBytes(32);
  readonly #activities: Activities;
  /** people about whom the insurer has answered with records */
  readonly #hadRecords = new Set<number>();
  /** those that have not ended */
  readonly #attempts = new Set<Attempt>();
  readonly #shard: string;
  readonly #people: readonly { readonly kvnr: Kvnr; readonly patientRef: string }[];
  readonly #persons: ReadonlyMap<string, number>;
  #nowMs = Date.now() - 1_000 * 24 * 60 * 60_000;

  /** @param number of the history: it decides about the shard */
  constructor(clients: ModelClients, insurer: Insurer, number: number) {
    this.#clients = clients;
    this.#stores = openModelStores(clients);
    this.#insurer = insurer;
    this.runSuffix = this.#pseudonymKey.toString('hex').slice(0, 6);
    this.insurerId = `insurer-${this.runSuffix}`;
    const shardIndex = number % shards.length;
    this.#shard = shards[shardIndex] ?? '';
    this.shardRanges = [{ fromShard: shardIndex, toShard: shardIndex + 1 }];
    this.#people = peopleOf(this.#shard, this.#pseudonymKey, insurer.people);
    this.#persons = new Map(this.#people.map(({ patientRef }, person) => [patientRef, person]));
    this.#activities = this.#startProcess();
  }

  /**
   * Creates activities and stores with a memory of their own. An attempt that dies or stands still does so with its process.
   * In the same one, others would wait for what it has begun, such as an append to the access log.
   */
  #startProcess(): Activities {
    const stores = openModelStores(this.#clients);
    const patients = onlyIn(this.#shard, stores.patients);
    const all = { ...stores, pseudonymKey: this.#pseudonymKey, patients, olderListsEndMs: 0 };
    return {
      ...createLineActivities({
        ...all,
        insurerId: this.insurerId,
        insurer: this.#insurerClient(),
        transferReporter: noTransfers,
      }),
      ...createListActivities(all),
      ...createSyncActivities({ ...all, endSync: endSyncIn(patients) }),
    };
  }

  nowMs = (): number => this.#nowMs;
  advance(ms: number): void {
    this.#nowMs += ms;
  }
  inquire = async (patientRef: string): Promise<Standing | undefined> => {
    const { patients } = this.#stores;
    const kvnr = this.#people[this.personOf(patientRef)]?.kvnr;
    if (kvnr === undefined || !(await patients.inquire(patientRef, kvnr))) return undefined;
    return (await patients.readLastSync(patientRef))?.standing;
  };
  refOf = (person: number): string => this.#people[person]?.patientRef ?? '';
  personOf = (patientRef: string): number => this.#persons.get(patientRef) ?? -1;

  async *run<Name extends ActivityName>(name: Name, input: InputOf<Name>): Work<AnswerOf<Name>> {
    let heartbeatDetails: unknown;
    for (let number = 1; ; number++) {
      const attempt: Attempt = {
        name,
        number,
        input,
        fault: takeFault(this, name),
        calls: 0,
        hasDied: false,
        isLate: false,
        clockAheadMs: 0,
        reached: Promise.withResolvers(),
        released: Promise.withResolvers(),
        end: () => {},
      };
      if ((attempt.fault !== undefined || number > 1) && input !== undefined && 'listId' in input)
        this.faultyLists.add(input.listId);
      const activities = attempt.fault === undefined ? this.#activities : this.#startProcess();
      const activity = activities[name] as (input: InputOf<Name>) => Promise<AnswerOf<Name>>;
      const environment = new MockActivityEnvironment({ attempt: number, heartbeatDetails }, { logger: silent });
      attempt.end = () => environment.cancel();
      environment.on('heartbeat', (details: unknown) => {
        if (!attempt.isLate) heartbeatDetails = JSON.parse(JSON.stringify(details ?? null)) ?? undefined;
      });
      this.#attempts.add(attempt);
      const ended = attempts.run(attempt, () =>
        environment
          .run<[], Settled<AnswerOf<Name>>, () => Promise<Settled<AnswerOf<Name>>>>(
            async () => await settle(activity(input)),
          )
          .finally(() => this.#attempts.delete(attempt)),
      );
      const first = await Promise.race([ended, attempt.reached.promise.then(() => 'stands' as const)]);
      if (first === 'stands' && attempt.fault?.how === 'waits') {
        try {
          yield;
        } finally {
          attempt.released.resolve();
          await ended;
        }
      }
      const how = attempt.fault?.how;
      if (first === 'stands' && (how === 'stands' || how === 'cut-off')) {
        attempt.isLate = true;
        this.lateAttempts.push(async () => {
          attempt.clockAheadMs = standstillMs[how];
          attempt.released.resolve();
          await ended; // nobody receives its result
        });
        yield; // until Temporal starts the next attempt
        continue;
      }
      const settled = await ended;
      if ('answer' in settled) return settled.answer;
      const { error } = settled;
      if (error instanceof ApplicationFailure && error.nonRetryable) {
        const detail = error.details?.[0] as { readonly seen?: { readonly revision: number } } | undefined;
        throw new FinalFailure(error.type ?? '', detail?.seen);
      }
      if (number === 50) throw new Error(`${name} fails forever`, { cause: error });
      yield;
    }
  }

  get attempts(): readonly string[] {
    return Array.from(this.#attempts, ({ name, number, fault, calls, isLate }) => {
      const how = fault ? `${fault.how} at ${fault.at}, ${calls} calls` : 'without a fault';
      return `${name}, attempt ${number}: ${how}${isLate ? ', late' : ''}`;
    });
  }

  async read(): Promise<Stored> {
    const { careRecords } = this.#stores;
    const orphans: string[] = [];
    const read = async (): Promise<ReadonlyMap<number, StoredPerson>> => {
      const stored = (await this.#items()).filter(({ removing, expiresAt }) => !removing && expiresAt === undefined);

      const current = new Map(stored.map(({ patientRef, careVersion }) => [patientRef, careVersion]));
      const keys = this.#hadRecords.size > 0 ? await this.#documentKeys() : [];
      const all = this.#people.map(async ({ patientRef }, person) => {
        if (!this.#hadRecords.has(person)) return;
        const objects = keys.filter(([owner]) => owner === patientRef).map(([, version]) => version);
        for (const version of new Set([...(await this.#recordVersions(patientRef)), ...objects]))
          if (version !== current.get(patientRef)) orphans.push(`${person} ${version}`);
      });
      await Promise.all(all);
      const people = stored.map(async ({ patientRef, body, careState, careVersion }) => {
        const records = careVersion === undefined ? undefined : await careRecords.read(patientRef, careVersion);
        const { content } = JSON.parse(body ?? '{"content":"provisional"}') as { content: Content };
        return [this.personOf(patientRef), { content, careState, hasRecords: records?.total === 1 }] as const;
      });
      return new Map(await Promise.all(people));
    };
    const [patients, lists, payloads] = await Promise.all([
      read(),
      this.#ownersIn('lists/'),
      this.#ownersIn('payloads/'),
    ]);
    return { patients, lists, payloads, orphans };
  }

  /** Returns the IDs of this history's lists or syncs that have objects. */
  async #ownersIn(prefix: string): Promise<ReadonlySet<string>> {
    const keys = await Array.fromAsync(listKeys(this.#clients.bucket, prefix));
    return new Set(keys.filter((key) => key.includes(this.runSuffix)).map((key) => key.split('/')[1] ?? ''));
  }

  /** Returns the person and the version of each object of care records. One call lists the whole shard, with other histories in it. */
  async #documentKeys(): Promise<(readonly [patientRef: string | undefined, version: string | undefined])[]> {
    const keys = await Array.fromAsync(listKeys(this.#clients.bucket, `documents/${this.#shard}`));
    return keys.map((key) => key.split('/')).map(([, patientRef, version]) => [patientRef, version] as const);
  }

  /** Returns the versions of a person, one for each item. One query reads all of them, and the store makes two. */
  async #recordVersions(patientRef: string): Promise<string[]> {
    const pages = paginateQuery(
      { client: this.#clients.dynamo },
      {
        TableName: defaultTables.careRecords,
        ConsistentRead: true,
        KeyConditionExpression: 'patientRef = :patientRef',
        ProjectionExpression: 'sk',
        ExpressionAttributeValues: { ':patientRef': patientRef },
      },
    );
    const items = (await Array.fromAsync(pages)).flatMap(({ Items }) => Items ?? []);
    return items.map(({ sk }) => String(sk).split('#')[0] ?? '');
  }

  async readLog(people: ReadonlySet<number>): Promise<ReadonlySet<string>> {
    const logs = Array.from(people, async (person) => {
      const { entries } = await this.#stores.accessLog.read(this.refOf(person), 100);
      return entries.map(({ id }) => `${person} ${id}`);
    });
    return new Set((await Promise.all(logs)).flat());
  }

  async #items() {
    const command = new QueryCommand({
      TableName: defaultTables.patients,
      ConsistentRead: true,
      KeyConditionExpression: '#shard = :shard',
      ExpressionAttributeNames: { '#shard': 'shard' },
      ExpressionAttributeValues: { ':shard': this.#shard },
    });
    const items = ((await this.#clients.dynamo.send(command)).Items ?? []) as {
      readonly patientRef: string;
      readonly body?: string;
      readonly careState: CareState;
      readonly careVersion?: string;
      readonly removing?: boolean;
      readonly expiresAt?: number;
    }[];
    return items;
  }

  /** Empties the shard for the next history. */
  async clear(): Promise<void> {
    const requests = (await this.#items()).map(({ patientRef }) => ({
      DeleteRequest: { Key: { shard: this.#shard, patientRef } },
    }));
    for (let start = 0; start < requests.length; start += 25) {
      const RequestItems = { [defaultTables.patients]: requests.slice(start, start + 25) };
      await this.#clients.dynamo.send(new BatchWriteCommand({ RequestItems }));
    }
  }

  #insurerClient(): Pick<InsurerClient, 'fetchList' | 'fetchCareRecords'> {
    return {
      fetchList: async ({ knownEtag }, sink) => {
        const attempt = attempts.getStore();
        if (attempt === undefined) throw new Error('a list is fetched outside an attempt');
        const { listId } = attempt.input as { readonly listId: string };
        const list = this.#insurer.serve(listId, knownEtag, !attempt.isLate);
        if (list === undefined) return 'unchanged';
        const { etag, entries, isGarbage } = list;
        sink.answered(fetchOrderOf(this.#insurer.answered), false, {
          receivedBytes: () => 0,
          isPartial: false,
          isCompressed: false,
        });
        sink.begin({ from: 0, ...(etag !== undefined && { etag }) });
        const text = JSON.stringify(entries.map((entry) => this.#printed(entry)));
        await sink.write(Buffer.from(isGarbage ? '[{"kvnr":' : text));
        await sink.finish();
        return 'complete';
      },
      fetchCareRecords: async (kvnr) => {
        const person = this.#people.findIndex((each) => each.kvnr === kvnr);
        const { answer, number } = this.#insurer.answerAbout(person);
        if (answer === 'fails') throw new LineError('server-error', { operation: 'care-records', status: 500 });
        if (answer !== 'ok') return { kind: answer };
        const fetchOrder = fetchOrderOf(number);
        this.#hadRecords.add(person);
        const record = { id: fetchOrder, programme: 'DMP', title: '', status: 'active', start: '2026-01-01' };
        return { kind: 'answer', body: Buffer.from(JSON.stringify({ kvnr, careRecords: [record] })), fetchOrder };
      },
    };
  }

  #printed(entry: Entry): object | string {
    if ('unreadable' in entry) return { kvnr: 'unreadable' };
    const kvnr = this.#people[entry.person]?.kvnr;
    if ('invalid' in entry) return `{"kvnr":"${kvnr}"`; // no object, but names the person
    const { content } = entry;
    return { kvnr, familyName: 'A', givenName: 'B', birthDate: '2000-01-01', gender: 'other', content };
  }
}

const fetchOrderOf = (number: number): string => `000001764028800-${String(number).padStart(9, '0')}`;

type Settled<Answer> = { readonly answer: Answer } | { readonly error: unknown };
const settle = async <Answer>(work: Promise<Answer>): Promise<Settled<Answer>> =>
  await work.then(
    (answer) => ({ answer }),
    (error: unknown) => ({ error }),
  );

/** Shows the patients of one shard. Queries of the 255 others would find nothing. */
const onlyIn = (shard: string, patients: PatientsStore): PatientsStore => ({
  ...patients,
  listPending: async (other, after, limit) => (other === shard ? await patients.listPending(other, after, limit) : []),
  async *scan(segment) {
    if (segment > 0) return;
    const { stored, unlisted, removed } = await patients.readShard(shard);
    for (const { patientRef, revision, careState } of stored)
      yield { patientRef, revision, careState, isBeingRemoved: false, isProvisional: false };
    for (const { patientRef, revision, standing } of unlisted)
      if (standing === 'provisional')
        yield { patientRef, revision, careState: 'current', isBeingRemoved: false, isProvisional: true };
    for (const { patientRef, revision, isTombstone } of removed)
      if (!isTombstone)
        yield { patientRef, revision, careState: 'current', isBeingRemoved: true, isProvisional: false };
  },
  async *listHeld(other, heldFor) {
    if (other === shard) yield* patients.listHeld(other, heldFor);
  },
  reopenReported: async (other, ...more) => {
    if (other === shard) await patients.reopenReported(other, ...more);
  },
});

/** Returns people whose pseudonyms are all in one shard, and in order: so a history replays with any key. */
function peopleOf(shard: string, pseudonymKey: Buffer, count: number): { kvnr: Kvnr; patientRef: string }[] {
  const key = createSecretKey(pseudonymKey); // 256 people are tried for each one found
  const people: { kvnr: Kvnr; patientRef: string }[] = [];
  for (let number = 0; people.length < count; number++) {
    const kvnr = kvnrOf(number, 0) as Kvnr;
    const patientRef = patientRefOf(kvnr, key);
    if (patientRef.startsWith(shard)) people.push({ kvnr, patientRef });
  }
  return people.sort((one, other) => (one.patientRef < other.patientRef ? -1 : 1));
}
