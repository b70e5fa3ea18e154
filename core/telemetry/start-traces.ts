import type { Traces } from './traces.ts';

/**
 * Starts the traces of this process. Loads OpenTelemetry only if there is an endpoint, so that nothing gets slower
 * without one.
 * @param endpoint OTEL_EXPORTER_OTLP_ENDPOINT
 * @returns undefined without an endpoint
 */
export async function startTraces(serviceName: string, endpoint: string | undefined): Promise<Traces | undefined> {
  if (endpoint === undefined || endpoint === '') return undefined;
  const { createTraces } = await import('./otlp-traces.ts');
  return createTraces(serviceName, endpoint);
}
