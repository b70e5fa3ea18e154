import { SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider, type Span } from '@opentelemetry/sdk-trace-base';
import { expect, test } from 'vitest';
import { redactSpan } from './otlp-traces.ts';
import { startTraces } from './start-traces.ts';

test('a failed span is exported without anything that could quote input', () => {
  const span = new BasicTracerProvider().getTracer('test').startSpan('RunActivity:storeCareRecords') as Span;
  span.setAttribute('temporalWorkflowId', 'patient:0123');
  span.setAttribute('memo', 'Anna Beispiel');
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'Anna Beispiel' });
  span.recordException(new Error('Anna Beispiel'));
  span.end();
  const redacted = redactSpan(span);
  expect(redacted.name).toBe('RunActivity:storeCareRecords');
  expect(redacted.spanContext()).toEqual(span.spanContext());
  expect(redacted.attributes).toEqual({ temporalWorkflowId: 'patient:0123' });
  expect(redacted.status).toEqual({ code: SpanStatusCode.ERROR });
  expect(redacted.events).toEqual([]);
});

test('without a collector there are no traces', async () => {
  expect(await startTraces('epa-sync-api', undefined)).toBeUndefined();
  expect(await startTraces('epa-sync-api', '')).toBeUndefined();
});
