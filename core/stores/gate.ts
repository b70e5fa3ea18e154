import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { type Clock, sleep, systemClock, timeoutSignal } from '../clock.ts';
import {
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

export const lineTable = 'Line';

/** How one write ended. `stale`: someone else has written since; read again and decide anew. */
export type GateOutcome =
  | { readonly kind: 'written' | 'unchanged'; readonly gate: Gate }
  | { readonly kind: 'stale' }
  | { readonly kind: 'rejected'; readonly why: GateRejection };

/** The table Line (docs/explanation/architecture.md, "Tables"): the gate of one insurer. */
export interface GateStore {
  /** Strongly consistent; makes the item when it is missing: for whoever keeps the line. @throws GateError `unavailable` */
  read(): Promise<Gate>;
  /** Strongly consistent, for people. @throws GateError `unknown-insurer` before any worker has kept this line, `unavailable` */
  find(): Promise<Gate>;
  /**
   * One compare-and-set on the `leaseNumber` of `gate`, which was read before.
   * @throws GateError `unavailable`: whether it was written is not known; read again and decide anew
   */
  attempt(gate: Gate, event: GateEvent): Promise<GateOutcome>;
  /**
   * Closes the gate; changes nothing when it is closed. The line may still be busy: see awaitSilence.
   * @throws GateError `superseded`, `unknown-insurer`, `unavailable`
   */
  pause(wish: LineCommand): Promise<Gate>;
  /** Opens the gate; changes nothing when it is open. @throws GateError `superseded`, `unknown-insurer`, `unavailable` */
  resume(wish: LineCommand): Promise<Gate>;
  /**
   * Holds the whole line for so long from now, ms (Retry-After). A gate that does not answer is tried until the time is over:
   * resolves once the gate says so, or there is nothing left to say.
   * @throws GateError `unknown-insurer`
   */
  startCooldown(forMs: number): Promise<void>;
  /** `insurerLine` knows of all changes up to this number. @throws GateError `unknown-insurer`, `unavailable` */
  acknowledge(upTo: number): Promise<void>;
  /**
   * Resolves once the paused line is silent, and the gate says so: its holder has said it, nobody holds it, or the lease was
   * watched from here to stand still for its length (leaseMs in the gate) and a margin, and was ended from here. A gate that
   * does not answer is waited for, until the signal.
   * @throws GateError `resumed` when the line is open; the signal's reason when that aborts
   */
  awaitSilence(signal: AbortSignal): Promise<Gate>;
}

/** `superseded`: paused or resumed by someone else since the state that was seen; read again, and ask again if it is still wanted. */
export type GateFault = 'unavailable' | 'unknown-insurer' | 'superseded' | 'resumed';

export class GateError extends Error {
  override readonly name = 'GateError';
  readonly fault: GateFault;
  constructor(fault: GateFault, options?: ErrorOptions) {
    super(`gate ${fault}`, options);
    this.fault = fault;
  }
}

/** One call's limit, ms: a lease is renewed each second, and an answer that comes later is worth nothing. */
const callMs = 1_000;
/** So often a pauser looks, ms: an operator waits for the answer. */
const lookMs = 100;
/** A missing item is made by whoever comes first; so often another one may be faster. */
const maxRaces = 20;
/** So long a writer insists against others who write, ms, waiting a little by chance after each lost race, so that two never keep step. */
const insistMs = 5_000;
const raceGapMs = 15;

/**
 * A client for the gate alone. It never repeats a call by itself: what a repetition means is decided here, from what
 * the gate says then.
 */
export const createGateClient = (region: string): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient({ region, maxAttempts: 1 }), {
    marshallOptions: { removeUndefinedValues: true },
  });

/**
 * @param clock counts deadlines and leases
 * @param random spreads writers that race
 */
export function openGate(
  documents: Pick<DynamoDBDocumentClient, 'send'>,
  insurerId: string,
  { clock = systemClock, random = Math.random }: { readonly clock?: Clock; readonly random?: () => number } = {},
): GateStore {
  const call = <Answer>(send: (abortSignal: AbortSignal) => Promise<Answer>): Promise<Answer> =>
    callInTime(send, clock);
  const nowIso = (): string => new Date(clock.epochMs()).toISOString();

  const look = async (): Promise<Gate | undefined> => {
    const found = await call((abortSignal) =>
      documents.send(new GetCommand({ TableName: lineTable, Key: { insurerId }, ConsistentRead: true }), {
        abortSignal,
      }),
    );
    // An item may be older than some of what a gate says today.
    return found.Item && { ...newGate(insurerId, 0), ...(found.Item as Partial<Gate>) };
  };

  const read = async (): Promise<Gate> => {
    for (let race = 0; race < maxRaces; race += 1) {
      const gate = await look();
      if (gate !== undefined) return gate;
      await put(newGate(insurerId, clock.epochMs()), undefined);
    }
    throw new GateError('unavailable');
  };

  const find = async (): Promise<Gate> => {
    const gate = await look();
    if (gate === undefined) throw new GateError('unknown-insurer');
    return gate;
  };

  /** @returns whether it was written */
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
    const written = withSilentSince(decision.gate, gate, nowIso);
    return (await put(written, gate.leaseNumber)) ? { kind: 'written', gate: written } : { kind: 'stale' };
  };

  /** Until the gate says what the event wants. A lost answer is no answer: the gate is read again. */
  const insist = async (eventNow: () => GateEvent): Promise<Gate> => {
    let lastError: unknown;
    const giveUpAtMs = clock.monotonicMs() + insistMs;
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

  const insistOn = (event: GateEvent): Promise<Gate> => insist(() => event);

  return {
    read,
    find,
    attempt,
    pause: async (wish) => await insistOn({ kind: 'pause', ...wish, at: nowIso() }),
    resume: async (wish) => await insistOn({ kind: 'resume', ...wish, at: nowIso() }),
    startCooldown: async (forMs) => {
      const untilMs = clock.monotonicMs() + forMs;
      const leftMs = (): number => Math.ceil(untilMs - clock.monotonicMs());
      while (leftMs() > 0) {
        const gate = await insist(() => ({ kind: 'cooldown', cooldownMs: Math.max(0, leftMs()) })).catch(
          unlessUnavailable,
        );
        if (gate !== undefined) return;
        await sleep(clock, lookMs);
      }
    },
    acknowledge: async (upTo) => {
      await insistOn({ kind: 'acknowledge', upTo });
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
            // Only this write is proof: what was read may be old by now.
            const outcome = await attempt(gate, { kind: 'lapse', lapsed: watch }).catch(unlessUnavailable);
            if (outcome?.kind === 'written') return outcome.gate;
          }
        }
        await sleep(clock, lookMs, signal);
      }
    },
  };
}

function withSilentSince({ silentSince: _, ...gate }: Gate, before: Gate, nowIso: () => string): Gate {
  if (!isSilent(gate)) return gate;
  return { ...gate, silentSince: (isSilent(before) && before.silentSince) || nowIso() };
}

function unlessUnavailable(error: unknown): undefined {
  if (!(error instanceof GateError && error.fault === 'unavailable')) throw error;
}

/** One call that ends in time even if the SDK, a credential provider, or the network hangs. */
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
