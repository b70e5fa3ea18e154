import type { Clock } from '../../core/clock.ts';
import { retryAfterMs } from '../../core/domain/retry-after.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { type LineContext, LineError } from '../line/line-error.ts';
import type { SendPermit } from '../line/send-permit.ts';
import { drain } from './answer-body.ts';

/** Cooldown in ms after a 429 with an unreadable `Retry-After`. */
const unreadableCooldownMs = 1_000;

export interface ErrorAnswerOptions {
  readonly permit: Pick<SendPermit, 'startCooldown' | 'pauseBySystem'>;
  readonly clock: Clock;
  /** time limit in ms for reading the body; after it, the connection is closed */
  readonly drainMs: number;
}

/**
 * Handles an answer with an error status. Starts a cooldown (`Retry-After` on 429 and any 5xx) or pauses the line (401, 403)
 * before the exchange ends, so that no other request is sent in between.
 * @returns the error to throw, after the body was read
 */
export async function lineErrorOf(
  answer: ExchangeAnswer,
  operation: LineContext['operation'],
  { permit, clock, drainMs }: ErrorAnswerOptions,
): Promise<LineError> {
  const { status, headers } = answer;
  const retryAfter = headers['retry-after'];
  const mayAskForCooldown = status === 429 || status >= 500;
  const unreadableMs = status === 429 ? unreadableCooldownMs : 0;
  const cooldownMs = mayAskForCooldown
    ? retryAfterMs(retryAfter, { date: headers['date'], nowEpochMs: clock.epochMs() }, unreadableMs)
    : undefined;
  const written = Promise.all([
    cooldownMs !== undefined && permit.startCooldown(cooldownMs),
    (status === 401 || status === 403) && permit.pauseBySystem(`insurer answered ${status}`),
  ]);
  written.catch(() => {}); // a failure while the body is read is thrown below
  await drain(answer, drainMs, operation, clock);
  await written;
  return new LineError(faultOf(status, retryAfter !== undefined), { operation, status });
}

function faultOf(status: number, hasRetryAfter: boolean): LineError['fault'] {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'busy';
  if (status >= 500) return 'server-error';
  if (status >= 300 && status < 400 && status !== 304) return 'redirect';
  return 'contract';
}
