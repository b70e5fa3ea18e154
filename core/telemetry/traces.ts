import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/**
 * The traces of one process (OpenTelemetry), sent to a collector over OTLP/HTTP (ADR 0025). They hold IDs, names of
 * operations and pseudonyms, and nothing that a caller sent.
 */
export interface Traces {
  /** give each call to Temporal a span, and send the context of the trace along */
  readonly clientInterceptors: readonly WorkflowClientInterceptor[];
  /** give each attempt of an activity a span in the trace of its caller */
  readonly activityInterceptors: readonly ActivityInterceptorsFactory[];
  /**
   * Runs `work` as one span of a new trace. Sends the trace before it returns, but waits half a second at most.
   * @param name fixed words, such as `GET /patients/{patientRef}`
   */
  asRequest<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer>;
  /** Sends the spans that are left, and ends. Never throws. */
  stop(): Promise<void>;
}
