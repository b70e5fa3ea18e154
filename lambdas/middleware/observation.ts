import { randomUUID } from 'node:crypto';
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { logger, metrics } from '../observability.ts';
import { headerOf, type Middleware, type RequestContext } from './request.ts';

/** A UUID and nothing else: what somebody put into it would be logged. */
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Gives the request its correlation ID (the caller's, or API Gateway's) and, at its end, a line in the log and two metrics. */
export function observation(): Middleware {
  const tell = (context: RequestContext, status: number): void => {
    const { operation = 'unknown', startedAtMs } = context.facts;
    const durationMs = Math.round(performance.now() - startedAtMs);
    logger.info('answered', { operation, status, durationMs });
    metrics.addDimensions({ operation, status: String(status) });
    metrics.addMetric('requests', MetricUnit.Count, 1);
    metrics.addMetric('durationMs', MetricUnit.Milliseconds, durationMs);
  };
  return {
    before: ({ event, context }) => {
      const given = headerOf(event, 'x-correlation-id') ?? '';
      const correlationId = uuid.test(given) ? given.toLowerCase() : (event.requestContext?.requestId ?? randomUUID());
      context.facts = { correlationId, startedAtMs: performance.now() };
      logger.appendKeys({ correlationId });
    },
    after: ({ context, response }) => tell(context, response?.statusCode ?? 0),
    onError: ({ context, response }) => tell(context, response?.statusCode ?? 0),
  };
}
