import { Logger } from '@aws-lambda-powertools/logger';
import { defaultDeployment } from '../core/contract/deployment.ts';
import { createMetrics } from '../core/telemetry/metrics.ts';
import { startTraces } from '../core/telemetry/start-traces.ts';
import type { Traces } from '../core/telemetry/traces.ts';
import { readSecret } from './settings.ts';

const serviceName = 'epa-sync-api';

/** One of each per container. Never pass an event, a body or an answer to them, because those hold personal data. */
export const logger = new Logger({ serviceName });
/** undefined if no collector is set */
export const traces = startTracesOfContainer(process.env);
/** Runs `work` as a new trace, if a collector is set. @param name fixed words */
export async function traced<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer> {
  const tracing = await traces;
  return tracing === undefined ? await work() : await tracing.asRequest(name, work);
}

/** works without settings, too */
export const metrics = createMetrics({
  DEPLOYMENT: process.env['DEPLOYMENT'] ?? defaultDeployment,
  INSURER_ID: process.env['INSURER_ID'] ?? 'unknown',
});

/**
 * Starts the traces. The headers for the collector are secret, so they come from Secrets Manager; the exporter reads
 * them from the environment.
 */
async function startTracesOfContainer(environment: NodeJS.ProcessEnv): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector } = environment;
  if (!collector) return undefined;
  const secret = await readSecret(environment).catch(() => undefined); // the openapi Lambda may not read it, and a request must not fail for its trace
  const headers = secret?.OTEL_EXPORTER_OTLP_HEADERS;
  if (headers) environment['OTEL_EXPORTER_OTLP_HEADERS'] = headers;
  return await startTraces(serviceName, collector);
}
