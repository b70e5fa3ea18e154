import { setTimeout as sleep } from 'node:timers/promises';
import { type Attributes, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { Resource } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { OpenTelemetryWorkflowClientInterceptor } from '@temporalio/interceptors-opentelemetry/lib/client/index.js';
import { OpenTelemetryActivityInboundInterceptor } from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';
import type { Traces } from './traces.ts';

/** The attributes that a span may have. A workflow ID contains a pseudonym at most. */
const allowedAttributes = new Set([
  'temporalWorkflowId',
  'temporalActivityId',
  'temporalUpdateId',
  'run_id',
  'http.response.status_code',
]);
const exportMs = 5_000;
/** How long an answer waits for its trace to be sent, ms. */
const flushMs = 500;

/**
 * Starts the traces of this process. Call once. The SDK reads sampler and headers from its own variables
 * (docs/reference/metrics.md, "Traces").
 */
export function createTraces(serviceName: string, endpoint: string): Traces {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const processor = new BatchSpanProcessor(redactingExporter(new OTLPTraceExporter({ url, timeoutMillis: exportMs })));
  const provider = new BasicTracerProvider({
    resource: new Resource({ 'service.name': serviceName }),
    spanProcessors: [processor],
  });
  provider.register({
    contextManager: new AsyncLocalStorageContextManager().enable(),
    propagator: new W3CTraceContextPropagator(), // no baggage, because Temporal would store it unencrypted
  });
  const tracer = trace.getTracer('epa-sync');
  const flush = async (): Promise<void> => {
    await Promise.race([provider.forceFlush(), sleep(flushMs, undefined, { ref: false })]).catch(() => {}); // a failed export must not fail the request
  };
  return {
    clientInterceptors: [new OpenTelemetryWorkflowClientInterceptor({ tracer })],
    activityInterceptors: [
      (context) => ({ inbound: new OpenTelemetryActivityInboundInterceptor(context, { tracer }) }),
    ],
    async asRequest(name, work) {
      try {
        return await tracer.startActiveSpan(name, { kind: SpanKind.SERVER, root: true }, async (span) => {
          try {
            const answer = await work();
            const status = statusOf(answer);
            if (status !== undefined) span.setAttribute('http.response.status_code', status);
            if (status !== undefined && status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
            return answer;
          } catch (error) {
            span.setStatus({ code: SpanStatusCode.ERROR });
            throw error;
          } finally {
            span.end();
          }
        });
      } finally {
        await flush();
      }
    },
    async stop() {
      await flush();
      await Promise.race([provider.shutdown(), sleep(flushMs, undefined, { ref: false })]).catch(() => {});
    },
  };
}

/** Returns the status of an HTTP response, or undefined for any other value. */
const statusOf = (answer: unknown): number | undefined =>
  typeof answer === 'object' && answer !== null && 'statusCode' in answer ? Number(answer.statusCode) : undefined;

/** Removes everything that could contain input: error messages, stack traces and attributes that are not on the list. */
function redactingExporter(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, done) => exporter.export(spans.map(redactSpan), done),
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush && { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
  };
}

export function redactSpan(span: ReadableSpan): ReadableSpan {
  const attributes: Attributes = Object.fromEntries(
    Object.entries(span.attributes).filter(([name]) => allowedAttributes.has(name)),
  );
  return Object.create(span, {
    attributes: { value: attributes },
    events: { value: [] },
    status: { value: { code: span.status.code } },
  }) as ReadableSpan;
}
