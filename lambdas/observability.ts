import { Logger } from '@aws-lambda-powertools/logger';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { createMetrics } from '../core/metrics.ts';
import { startTraces } from '../core/traces.ts';

const serviceName = 'epa-sync-api';

/** Of each container. None of them is ever given an event, a body or an answer: those hold personal data. */
export const logger = new Logger({ serviceName });
export const tracer = new Tracer({ serviceName });
/** undefined where no collector is set */
export const traces = startTraces(serviceName, process.env['OTEL_EXPORTER_OTLP_ENDPOINT']);
/** Does something as a trace of its own, where traces are wanted. @param name fixed words */
export async function traced<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer> {
  const tracing = await traces;
  return tracing === undefined ? await work() : await tracing.asRequest(name, work);
}
export const metrics = createMetrics(process.env['INSURER_ID'] ?? 'unknown'); // also where no settings are read
