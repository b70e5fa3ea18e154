import type { Clock } from '../../core/clock.ts';
import { retryAfterMs } from '../../core/domain/retry-after.ts';
import type { Backoff } from '../line/backoff.ts';
import type { ExchangeAnswer } from '../line/exchange.ts';
import { type LineContext, LineError } from '../line/line-error.ts';
import type { SendPermit } from '../line/send-permit.ts';
import { drain } from './answer-body.ts';

export interface ErrorAnswerOptions {
  readonly permit: Pick<SendPermit, 'startCooldown' | 'pauseBySystem'>;
  readonly backoff: Pick<Backoff, 'nextBusyMs'>;
  readonly clock: Clock;
  /** time limit in ms for reading the body; after it, the connection is closed */
  readonly drainMs: number;
}

/**
 * Handles an answer with an error status. Starts a cooldown or pauses the line (401, 403) before the exchange ends, so that no
 * other request is sent in between. The cooldown is what `Retry-After` asks for, on 429 and any 5xx. A 429 without a readable
 * time in the future, and a 503 with an unreadable one, start a cooldown that grows with each of them.
 * @returns the error to throw, after the body was read
 */
export async function lineErrorOf(
  answer: ExchangeAnswer,
  operation: LineContext['operation'],
  { permit, backoff, clock, drainMs }: ErrorAnswerOptions,
): Promise<LineError> {
  const { status, headers } = answer;
  const retryAfter = headers['retry-after'];
  const fault = faultOf(status, retryAfter !== undefined);
  const mayAskForCooldown = status === 429 || status >= 500;
  const readableMs = mayAskForCooldown
    ? retryAfterMs(retryAfter, { date: headers['date'], nowEpochMs: clock.epochMs() })
    : undefined;
  const isWithoutTime = readableMs === undefined || (status === 429 && readableMs === 0);
  const cooldownMs = isWithoutTime && fault === 'busy' ? backoff.nextBusyMs() : (readableMs ?? 0);
  const written = Promise.all([
    cooldownMs > 0 && permit.startCooldown(cooldownMs, isWithoutTime ? 'busy' : 'retry-after'),
    (status === 401 || status === 403) && permit.pauseBySystem(`insurer answered ${status}`),
  ]);
  written.catch(() => {}); // a failure while the body is read is thrown below
  await drain(answer, drainMs, operation, clock);
  await written;
  return new LineError(fault, { operation, status });
}

function faultOf(status: number, hasRetryAfter: boolean): LineError['fault'] {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 429 || (status === 503 && hasRetryAfter)) return 'busy';
  if (status >= 500) return 'server-error';
  if (status >= 300 && status < 400 && status !== 304) return 'redirect';
  return 'contract';
}
