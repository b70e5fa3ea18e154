import { randomUUID } from 'node:crypto';
import { logger, metrics } from '../../observability.ts';
import { problemOf } from './problem-answers.ts';
import { headerOf, type Middleware, type RequestContext } from './request.ts';

/** A UUID and nothing else: what somebody put into it would be logged. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Gives the request its correlation ID (the caller's, or API Gateway's) and, at its end, a line in the log and its metrics. */
export function observation(): Middleware {
  const tell = (context: RequestContext, status: number, error?: Error | null): void => {
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
    after: ({ context, response }) => tell(context, response?.statusCode ?? 0),
    onError: ({ context, response, error }) => tell(context, response?.statusCode ?? 0, error),
  };
}
