import { randomUUID } from 'node:crypto';
import { logger, metrics } from '../../observability.ts';
import { problemOf } from './problem-answers.ts';
import { headerOf, type Middleware, type RequestContext } from './request.ts';

/** Accepts only UUIDs, because the correlation ID is logged. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Sets the correlation ID of a request (from the caller or API Gateway), and writes a log line and metrics at its end. */
export function observation(): Middleware {
  const report = (context: RequestContext, status: number, error?: Error | null): void => {
    const { operation = 'unknown', startedAtMs } = context.facts;
    const durationMs = Math.round(performance.now() - startedAtMs);
    logger.info('answered', { operation, status, durationMs });
    metrics.emit({ ApiRequests: 1, ApiDurationMs: durationMs }, { operation, status: String(status) });
    if (operation === 'requestPatientSync' && status === 202) metrics.emit({ SyncPromiseMs: durationMs });
    if (error && problemOf(error).problem === 'access-log-unavailable') metrics.emit({ AccessLogFailures: 1 });
  };
  return {
    before: ({ event, context }) => {
      const given = headerOf(event, 'x-correlation-id') ?? '';
      const correlationId = uuid.test(given) ? given.toLowerCase() : (event.requestContext?.requestId ?? randomUUID());
      context.facts = { correlationId, startedAtMs: performance.now() };
      logger.appendKeys({ correlationId });
    },
    after: ({ context, response }) => report(context, response?.statusCode ?? 0),
    onError: ({ context, response, error }) => report(context, response?.statusCode ?? 0, error),
  };
}
