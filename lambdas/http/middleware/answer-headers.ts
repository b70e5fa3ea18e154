import { z } from 'zod';
import { readConfig } from '../../../core/config.ts';
import type { Group } from '../routes.ts';
import type { Middleware } from './request.ts';

const origin = z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin);
const origins = z.object({ CONSOLE_ORIGIN: origin, TEMPORAL_UI_ORIGIN: origin.optional() });

/**
 * Adds headers to every answer, including problems. Answers must not be cached. Only pages of one origin may read them:
 * the console, or the Temporal UI for the codec endpoint.
 */
export function answerHeaders(group: Group): Middleware {
  const { CONSOLE_ORIGIN, TEMPORAL_UI_ORIGIN } = readConfig(origins, process.env);
  const headers = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'access-control-allow-origin': group === 'codec' ? (TEMPORAL_UI_ORIGIN ?? CONSOLE_ORIGIN) : CONSOLE_ORIGIN,
    'access-control-expose-headers': 'retry-after, www-authenticate, x-correlation-id',
    vary: 'origin',
  };
  const add: Middleware['after'] = ({ context, response }) => {
    if (response)
      response.headers = { ...headers, 'x-correlation-id': context.facts.correlationId, ...response.headers };
  };
  return { after: add, onError: add };
}
