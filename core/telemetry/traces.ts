import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** Traces of one process (OpenTelemetry), sent to a collector over OTLP/HTTP (ADR 0025). Ids, names of operations and pseudonyms; nothing that anybody sent. */
export interface Traces {
  /** give a call of Temporal a span, and send the trace's context along */
  readonly clientInterceptors: readonly WorkflowClientInterceptor[];
  /** give each attempt of an activity a span in the trace of whoever asked for it */
  readonly activityInterceptors: readonly ActivityInterceptorsFactory[];
  /**
   * Does something as one span of a new trace, and sends that before it answers, or gives it up after half a second.
   * @param name fixed words, such as `GET /patients/{patientRef}`
   */
  asRequest<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer>;
  /** Sends what there is, and ends. Never throws. */
  stop(): Promise<void>;
}

/**
 * @param endpoint OTEL_EXPORTER_OTLP_ENDPOINT
 * @returns undefined without an endpoint: nothing is loaded then, and nothing gets slower
 */
export async function startTraces(serviceName: string, endpoint: string | undefined): Promise<Traces | undefined> {
  if (endpoint === undefined || endpoint === '') return undefined;
  const { createTraces } = await import('./otlp-traces.ts');
  return createTraces(serviceName, endpoint);
}
