import {
  ConditionalCheckFailedException,
  InternalServerError,
  ProvisionedThroughputExceededException,
} from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Gate } from '../../core/domain/gate.ts';
import type { SimulatedProcess, World } from './world.ts';

/** Faults of the network and DynamoDB on a call. */
export const tableTroubles = [
  'request lost',
  'request late',
  'answer lost',
  'answer late',
  'done twice',
  'done, then an error',
  'reset',
  'throttled',
  'error',
  'slow',
] as const;
export type TableTrouble = (typeof tableTroubles)[number];

/** A machine's link to the table: without faults, or with a fault on each call. */
export interface TableLink {
  trouble: TableTrouble | undefined;
  /** true time of the last call with a fault */
  troubledMs: number;
}

/** Returns a link without faults. */
export const tableLink = (): TableLink => ({ trouble: undefined, troubledMs: Number.NEGATIVE_INFINITY });

/** Simulates DynamoDB with one item, the gate. It is linearizable: each call takes effect at one moment. */
export class SimulatedTable {
  gate: Gate | undefined;
  /** time of the last call that arrived after its sender had given it up; such a call can arrive after the repair */
  lateMs = 0;
  readonly #world: World;
  readonly #onWrite: (before: Gate | undefined, after: Gate) => void;
  #before: Gate | undefined;

  constructor(world: World, onWrite: (before: Gate | undefined, after: Gate) => void) {
    this.#world = world;
    this.#onWrite = onWrite;
  }

  clientOf(process: SimulatedProcess, link: TableLink): Pick<DynamoDBDocumentClient, 'send'> {
    const send = (command: unknown): Promise<unknown> =>
      new Promise((resolve, reject) => this.#call(process, link, command, resolve, reject));
    return { send } as Pick<DynamoDBDocumentClient, 'send'>;
  }

  #call(
    process: SimulatedProcess,
    link: TableLink,
    command: unknown,
    resolve: (answer: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    const world = this.#world;
    const trouble = link.trouble ?? (world.isFaultFree || !world.chance(0.002) ? undefined : world.pick(tableTroubles));
    if (trouble !== undefined) link.troubledMs = world.nowMs;
    const wayMs = (): number => (world.chance(0.03) ? world.between(1.5, 60) : world.between(1.5, 5));
    const answer = (tell: () => void, afterMs = wayMs()): void => void process.receives(afterMs, tell);
    const arrive = (inMs: number, isAnswered: boolean, isLate = false): void => {
      world.plan(inMs, () => {
        if (isLate) this.lateMs = world.nowMs;
        const outcome = this.#apply(command, process.name);
        if (isAnswered) answer(() => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
      });
    };
    switch (trouble) {
      case undefined:
        arrive(wayMs(), true);
        break;
      case 'slow':
        arrive(world.between(5, 900), true);
        break;
      case 'request lost':
        break;
      case 'request late': // long after its sender has given up
        arrive(world.between(800, 4_000), true, true);
        break;
      case 'answer lost':
        arrive(wayMs(), false);
        break;
      case 'answer late':
        world.plan(wayMs(), () => {
          const outcome = this.#apply(command, process.name);
          answer(() => (outcome instanceof Error ? reject(outcome) : resolve(outcome)), world.between(400, 950));
        });
        break;
      case 'done twice':
        arrive(wayMs(), true);
        arrive(world.between(5, 1_500), false, true);
        break;
      case 'done, then an error':
        world.plan(wayMs(), () => {
          this.#apply(command, process.name);
          answer(() => reject(awsError(InternalServerError)));
        });
        break;
      case 'reset':
        answer(() => reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' })));
        break;
      case 'throttled':
        answer(() => reject(awsError(ProvisionedThroughputExceededException)));
        break;
      case 'error':
        answer(() => reject(awsError(InternalServerError)));
        break;
    }
  }

  #apply(command: unknown, who: string): unknown {
    if (command instanceof GetCommand) {
      const { ConsistentRead } = command.input;
      const isOld = ConsistentRead !== true && this.#world.chance(0.5);
      const gate = isOld ? this.#before : this.gate;
      return gate === undefined ? {} : { Item: { ...gate } };
    }
    if (!(command instanceof PutCommand)) throw new Error('no such call is simulated');
    const { Item, ConditionExpression, ExpressionAttributeValues } = command.input;
    const holds =
      ConditionExpression === undefined ||
      (ConditionExpression === 'attribute_not_exists(insurerId)'
        ? this.gate === undefined
        : this.gate?.leaseNumber === ExpressionAttributeValues?.[':before']);
    if (!holds) return awsError(ConditionalCheckFailedException);
    const before = this.gate;
    this.#before = before;
    this.gate = { ...(Item as Gate) };
    this.#world.say(() => `table: ${who} writes ${JSON.stringify(this.gate)}`);
    this.#onWrite(before, this.gate);
    return {};
  }
}

const awsError = <Failure extends Error>(
  kind: new (options: { message: string; $metadata: object }) => Failure,
): Failure => new kind({ message: kind.name, $metadata: {} });
