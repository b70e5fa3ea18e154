import { Logger } from '@aws-lambda-powertools/logger';
import { Tracer } from '@aws-lambda-powertools/tracer';
import { createMetrics } from '../core/telemetry/metrics.ts';
import { startTraces } from '../core/telemetry/start-traces.ts';
import type { Traces } from '../core/telemetry/traces.ts';
import { readSecret } from './settings.ts';

const serviceName = 'epa-sync-api';

/** Of each container. None of them is ever given an event, a body or an answer: those hold personal data. */
export const logger = new Logger({ serviceName });
export const tracer = new Tracer({ serviceName });
/** undefined where no collector is set */
export const traces = startTracesOfContainer(process.env);
/** Does something as a trace of its own, where traces are wanted. @param name fixed words */
export async function traced<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer> {
  const tracing = await traces;
  return tracing === undefined ? await work() : await tracing.asRequest(name, work);
}

export const metrics = createMetrics(process.env['INSURER_ID'] ?? 'unknown'); // also where no settings are read

/** What the collector asks for is secret, so that it stands in no template: the exporter finds it under its own name. */
async function startTracesOfContainer(environment: NodeJS.ProcessEnv): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector } = environment;
  if (!collector) return undefined;
  const secret = await readSecret(environment).catch(() => undefined); // openapi may not, and traces are worth nobody's answer
  const headers = secret?.OTEL_EXPORTER_OTLP_HEADERS;
  if (headers) environment['OTEL_EXPORTER_OTLP_HEADERS'] = headers;
  return await startTraces(serviceName, collector);
}
