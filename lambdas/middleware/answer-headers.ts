import { z } from 'zod';
import { readConfig } from '../../core/config.ts';
import type { Middleware } from './request.ts';

const console = z.object({ CONSOLE_ORIGIN: z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin) });

/** Headers of every answer, problems too: nothing is kept by anyone on the way, and one origin's pages may read it. */
export function answerHeaders(): Middleware {
  const { CONSOLE_ORIGIN } = readConfig(console, process.env);
  const headers = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'access-control-allow-origin': CONSOLE_ORIGIN,
    'access-control-expose-headers': 'retry-after, www-authenticate, x-correlation-id',
    vary: 'origin',
  };
  const add: Middleware['after'] = ({ context, response }) => {
    if (response)
      response.headers = { ...headers, 'x-correlation-id': context.facts.correlationId, ...response.headers };
  };
  return { after: add, onError: add };
}
