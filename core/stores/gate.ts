import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Clock, sleep, systemClock, timeoutSignal } from '../clock.ts';
import {
  type CooldownReason,
  decideGate,
  type Gate,
  type GateEvent,
  type GateRejection,
  hasLapsed,
  isSilent,
  type LeaseWatch,
  type LineCommand,
  newGate,
  watchLease,
} from '../domain/gate.ts';
import { defaultTables } from './tables.ts';

/** Who changes the line, and why. */
export type LineOrder = Pick<LineCommand, 'by' | 'reason'>;

/** The result of one write. `stale`: another process has written since the read; read and decide again. */
export type GateOutcome =
  | { readonly kind: 'written' | 'unchanged'; readonly gate: Gate }
  | { readonly kind: 'stale' }
  | { readonly kind: 'rejected'; readonly why: GateRejection };

/** Reads and writes the gate of one insurer, in the table Line (docs/explanation/architecture.md, "Tables"). */
export interface GateStore {
  /** Reads the gate, strongly consistent, and creates a missing item. For keepers. @throws GateError `unavailable` */
  read(): Promise<Gate>;
  /** Reads the gate, strongly consistent. @throws GateError `unknown-insurer` before any worker has used this line, `unavailable` */
  find(): Promise<Gate>;
  /**
   * Decides an event and writes the result by one compare-and-set on the `leaseNumber` of `gate`, which was read before.
   * @throws GateError `unavailable`: it is not known whether it was written; read and decide again
   */
  attempt(gate: Gate, event: GateEvent): Promise<GateOutcome>;
  /**
   * Pauses the line, or adds a reason to a paused one. A request may still be in flight: see awaitSilence.
   * @throws GateError `superseded`, `unknown-insurer`, `unavailable`
   */
  pause(command: LineCommand): Promise<Gate>;
  /** Resumes the line; changes nothing if it is open. @throws GateError `superseded`, `unknown-insurer`, `unavailable` */
  resume(command: LineCommand): Promise<Gate>;
  /**
   * Ends the reasons of a pause whose end has come by `at`, and opens the line with the last one. Only for `insurerLine`.
   * @throws GateError `unknown-insurer`, `unavailable`
   */
  expire(at: string): Promise<Gate>;
  /**
   * Starts a cooldown of the whole line. Resolves once the gate has it, or once it is over: until then, an unavailable gate
   * is tried again.
   * @param forMs length from now
   * @returns the gate's liftNumber: a higher one means that an operator has lifted this cooldown
   * @throws GateError `unknown-insurer`
   */
  startCooldown(forMs: number, reason: CooldownReason): Promise<number>;
  /** Ends the cooldown of the whole line. @throws GateError `unknown-insurer`, `unavailable` */
  liftCooldown(change: LineOrder): Promise<Gate>;
  /**
   * Sets the most requests a minute. @param requestsPerMinute undefined: the default of the workers applies again
   * @throws GateError `unknown-insurer`, `unavailable`
   */
  setPace(requestsPerMinute: number | undefined, change: LineOrder): Promise<Gate>;
  /** Removes all changes up to this number from the outbox. @throws GateError `unknown-insurer`, `unavailable` */
  acknowledge(upTo: number): Promise<void>;
  /**
   * Resolves once the gate proves that the paused line is silent. Either its holder has said so, or it has no holder, or
   * this call has watched the lease until it lapsed and then ended it. An unavailable gate is tried again until the signal aborts.
   * @throws GateError `resumed` if the line is open; the signal's reason when the signal aborts
   */
  awaitSilence(signal: AbortSignal): Promise<Gate>;
}

/** `superseded`: another operator has paused or resumed the line since the state that this one has seen. */
export type GateFault = 'unavailable' | 'unknown-insurer' | 'superseded' | 'resumed';

export class GateError extends Error {
  override readonly name = 'GateError';
  readonly fault: GateFault;
  constructor(fault: GateFault, options?: ErrorOptions) {
    super(`gate ${fault}`, options);
    this.fault = fault;
  }
}

/** Time limit of one call in ms. A lease is renewed each second, so a later answer is useless. */
const callMs = 1_000;
/** Interval in ms of the reads of awaitSilence, and of the retries of startCooldown. Short, because an operator waits. */
const pollMs = 100;
/** How often another process may create a missing item at the same time. */
const maxRaces = 20;
/** Time in ms for which a write is repeated after lost races, and the longest random wait between two attempts. */
const applyMs = 5_000;
const raceGapMs = 15;

/** Creates a client for the gate. It never retries by itself: a retry is decided here, after the gate was read again. */
export const createGateClient = (region: string): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient({ region, maxAttempts: 1 }), {
    marshallOptions: { removeUndefinedValues: true },
  });

/**
 * Opens the store of one insurer's gate.
 * @param lineTable the table Line of the deployment
 * @param clock for time limits and leases
 * @param random for the wait after a lost race
 */
export function openGate(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  insurerId: string,
  {
    lineTable = defaultTables.line,
    clock = systemClock,
    random = Math.random,
  }: { readonly lineTable?: string; readonly clock?: Clock; readonly random?: () => number } = {},
): GateStore {
  const call = <Answer>(send: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> =>
    callInTime(send, clock);
  const nowIso = (): string => new Date(clock.epochMs()).toISOString();

  const readIfExists = async (): Promise<Gate | undefined> => {
    const found = await call((abortSignal) =>
      documents.send(new GetCommand({ TableName: lineTable, Key: { insurerId }, ConsistentRead: true }), {
        abortSignal,
      }),
    );
    return found.Item as Gate | undefined;
  };

  const read = async (): Promise<Gate> => {
    for (let race = 0; race < maxRaces; race += 1) {
      const gate = await readIfExists();
      if (gate !== undefined) return gate;
      await put(newGate(insurerId, clock.epochMs()), undefined);
    }
    throw new GateError('unavailable');
  };

  const find = async (): Promise<Gate> => {
    const gate = await readIfExists();
    if (gate === undefined) throw new GateError('unknown-insurer');
    return gate;
  };

  /** Writes the gate if its leaseNumber is unchanged. @returns whether it was written */
  const put = async (gate: Gate, leaseNumberBefore: number | undefined): Promise<boolean> => {
    const condition =
      leaseNumberBefore === undefined
        ? { ConditionExpression: 'attribute_not_exists(insurerId)' }
        : {
            ConditionExpression: 'leaseNumber = :before',
            ExpressionAttributeValues: { ':before': leaseNumberBefore },
          };
    try {
      await call((abortSignal) =>
        documents.send(new PutCommand({ TableName: lineTable, Item: gate, ...condition }), { abortSignal }),
      );
      return true;
    } catch (error) {
      if (error instanceof GateError && error.cause instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  };

  const attempt = async (gate: Gate, event: GateEvent): Promise<GateOutcome> => {
    const decision = decideGate(gate, event);
    if (decision.kind === 'rejected') return decision;
    if (decision.kind === 'unchanged') return { kind: 'unchanged', gate };
    const written = withCooldownEnd(event, withSilentSince(decision.gate, gate, nowIso), clock);
    return (await put(written, gate.leaseNumber)) ? { kind: 'written', gate: written } : { kind: 'stale' };
  };

  /** Repeats a write until the gate has what the event wants. After a lost answer, the gate is read again. */
  const applyUntilWritten = async (eventNow: () => GateEvent): Promise<Gate> => {
    let lastError: unknown;
    const giveUpAtMs = clock.monotonicMs() + applyMs;
    for (let race = 0, failures = 0; clock.monotonicMs() < giveUpAtMs && failures < 3; race += 1) {
      if (race > 0) await sleep(clock, random() * raceGapMs);
      try {
        const gate = await find();
        const outcome = await attempt(gate, eventNow());
        if (outcome.kind === 'written' || outcome.kind === 'unchanged') return outcome.gate;
        if (outcome.kind === 'rejected') throw new GateError('superseded');
      } catch (error) {
        if (error instanceof GateError && error.fault !== 'unavailable') throw error;
        lastError = error;
        failures += 1;
      }
    }
    throw new GateError('unavailable', { cause: lastError });
  };

  const apply = (event: GateEvent): Promise<Gate> => applyUntilWritten(() => event);

  return {
    read,
    find,
    attempt,
    pause: async (command) => await apply({ kind: 'pause', ...command, at: nowIso() }),
    resume: async (command) => await apply({ kind: 'resume', ...command, at: nowIso() }),
    expire: async (at) => await apply({ kind: 'expire', at }),
    startCooldown: async (forMs, reason) => {
      const untilMs = clock.monotonicMs() + forMs;
      const leftMs = (): number => Math.ceil(untilMs - clock.monotonicMs());
      const cooldown = { reason, since: nowIso(), until: new Date(clock.epochMs() + forMs).toISOString() };
      while (leftMs() > 0) {
        const gate = await applyUntilWritten(() => ({
          ...{ kind: 'cooldown', cooldownMs: Math.max(0, leftMs()), cooldown },
        })).catch(unlessUnavailable);
        if (gate !== undefined) return gate.liftNumber ?? 0;
        await sleep(clock, pollMs);
      }
      return 0;
    },
    liftCooldown: async (change) => await apply({ kind: 'lift', ...change, at: nowIso() }),
    setPace: async (requestsPerMinute, change) =>
      await apply({
        ...{ kind: 'pace', ...change, at: nowIso() },
        ...(requestsPerMinute !== undefined && { requestsPerMinute }),
      }),
    acknowledge: async (upTo) => {
      await apply({ kind: 'acknowledge', upTo });
    },
    awaitSilence: async (signal) => {
      let watch: LeaseWatch | undefined;
      for (;;) {
        signal.throwIfAborted();
        const gate = await find().catch(unlessUnavailable);
        if (gate?.state === 'open') throw new GateError('resumed');
        if (gate !== undefined) {
          if (isSilent(gate)) return gate;
          const nowMs = clock.monotonicMs();
          watch = watchLease(watch, gate, nowMs);
          if (watch !== undefined && hasLapsed(watch, gate, 0, nowMs)) {
            // Only this write proves the end of the lease, because the gate that was read may be outdated.
            const outcome = await attempt(gate, { kind: 'lapse', lapsed: watch }).catch(unlessUnavailable);
            if (outcome?.kind === 'written') return outcome.gate;
          }
        }
        await sleep(clock, pollMs, signal);
      }
    },
  };
}

function withSilentSince({ silentSince: _, ...gate }: Gate, before: Gate, nowIso: () => string): Gate {
  if (!isSilent(gate)) return gate;
  return { ...gate, silentSince: (isSilent(before) && before.silentSince) || nowIso() };
}

/** A new holder counts the rest of a cooldown from now, so for people it ends later than its writer thought. */
function withCooldownEnd({ kind }: GateEvent, gate: Gate, clock: Clock): Gate {
  if (kind !== 'take' || gate.cooldown === undefined) return gate;
  const until = new Date(clock.epochMs() + gate.cooldownMs).toISOString();
  return gate.cooldownMs === 0 ? gate : { ...gate, cooldown: { ...gate.cooldown, until } };
}

function unlessUnavailable(error: unknown): undefined {
  if (!(error instanceof GateError && error.fault === 'unavailable')) throw error;
}

/** Makes one call with a time limit, even if the SDK, a credential provider or the network hangs. */
async function callInTime<Answer>(send: (abortSignal: AbortSignal) => Promise<Answer>, clock: Clock): Promise<Answer> {
  const { signal, cancel } = timeoutSignal(clock, callMs);
  const tooLate = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => tooLate.reject(signal.reason), { once: true });
  try {
    return await Promise.race([send(signal), tooLate.promise]);
  } catch (error) {
    throw new GateError('unavailable', { cause: error });
  } finally {
    cancel();
  }
}
