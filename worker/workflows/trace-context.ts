import { defaultPayloadConverter, type Payload } from '@temporalio/common';

/** W3C Trace Context: version, trace ID, parent ID and flags. */
const traceparentPattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Returns whether a header is a trace context. Anybody with write permission to Temporal can send another one, because
 * headers do not pass the codec, and an activity could not decode it in any attempt (ADR 0059).
 */
export function isTraceContext(header: Payload): boolean {
  try {
    const carrier = defaultPayloadConverter.fromPayload<{ readonly traceparent?: unknown } | null>(header);
    return typeof carrier?.traceparent === 'string' && traceparentPattern.test(carrier.traceparent);
  } catch {
    return false;
  }
}
