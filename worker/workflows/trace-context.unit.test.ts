import { defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { isTraceContext } from './trace-context.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const json = (text: string) => ({ metadata: { encoding: bytes('json/plain') }, data: bytes(text) });
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('a W3C trace context is passed on to activities', () => {
  expect(isTraceContext(defaultPayloadConverter.toPayload({ traceparent }))).toBe(true);
});

test.each([
  {},
  { metadata: {} },
  { metadata: { encoding: bytes('binary/encrypted') }, data: bytes('x') },
  { metadata: { encoding: bytes('binary/null') } },
  json('{'),
  json('null'),
  json('{}'),
  json('{"traceparent":1}'),
  json(`{"traceparent":"${traceparent}-x"}`),
  json(`{"traceparent":"${traceparent.toUpperCase()}"}`),
])('a header that is no trace context is not passed on: %#', (header) => {
  expect(isTraceContext(header)).toBe(false);
});
