import type { Clock } from '../../core/clock.ts';
import { retryAfterMs } from '../../core/domain/retry-after.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { type LineContext, LineError } from '../line/line-error.ts';
import type { SendPermit } from '../line/send-permit.ts';
import { drain } from './answer-body.ts';

/** An insurer that is too busy and says for how long in words that we cannot read is left alone for so long, ms. */
const unreadableCooldownMs = 1_000;

export interface ErrorAnswerOptions {
  readonly permit: Pick<SendPermit, 'startCooldown' | 'pauseBySystem'>;
  readonly clock: Clock;
  /** the body is read on for so long, ms; then the connection is not worth it */
  readonly drainMs: number;
}

/**
 * What a status that nobody can use means for us and for the line. Holds the line (`Retry-After` on 429 and any 5xx) or
 * pauses it (401, 403) before the answer's end, so that no request can slip in between.
 * @returns the error to throw, once the body is out of the way
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
  const told = Promise.all([
    cooldownMs !== undefined && permit.startCooldown(cooldownMs),
    (status === 401 || status === 403) && permit.pauseBySystem(`insurer answered ${status}`),
  ]);
  told.catch(() => {}); // it may fail while the body is read; who waits for it below hears of it
  await drain(answer, drainMs, operation, clock);
  await told;
  return new LineError(faultOf(status, retryAfter !== undefined), { operation, status });
}

function faultOf(status: number, hasRetryAfter: boolean): LineError['fault'] {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'busy';
  if (status >= 500) return 'server-error';
  if (status >= 300 && status < 400 && status !== 304) return 'redirect';
  return 'contract';
}
