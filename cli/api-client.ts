import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ConfigError, readConfig } from '../core/config.ts';
import type { Role } from '../core/domain/access.ts';
import { parseLossless } from '../core/json/lossless.ts';
import { readEndpoints } from '../local/endpoints.ts';
import { fetchToken } from '../local/oidc/token.ts';
import { placesIn, readSettings } from '../local/settings.ts';

/** The HTTP API as one caller sees it. Answers are read by `parseLossless`: what an insurer has sent keeps its numbers. */
export interface Api {
  /** @throws ApiError */
  get<Answer>(path: string, accept?: 'application/json' | 'application/fhir+json'): Promise<Answer>;
  /** @throws ApiError */
  post<Answer>(path: string, body?: object): Promise<Answer>;
  /** All pages of an answer, in order. @throws ApiError */
  pages<Page extends { readonly nextToken?: string }>(path: string): AsyncIterable<Page>;
  /** Whether a text is a link of this API's, so that it may be followed. */
  isLink(href: unknown): boolean;
  /** The text behind a link, which needs no token. @throws ApiError, also when it is not the text that the link was made for */
  readLink(link: Link): Promise<string>;
}

export interface Link {
  readonly href: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export type ApiFault = 'failed' | 'usage' | 'notFound' | 'notRunning';

/** What the API has not done: its message is the one line for people that says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly fault: ApiFault;
  /** its name, when the answer was a problem (docs/reference/problems.md) */
  readonly problem?: string;
  constructor(fault: ApiFault, message: string, { problem, ...options }: ErrorOptions & { problem?: string } = {}) {
    super(message, options);
    this.fault = fault;
    if (problem !== undefined) this.problem = problem;
  }
}

/** Settings with which `npm run sync` reaches an API other than that of the running stack. */
export const remoteApi = z.object({
  API_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'API that `npm run sync` speaks to; must be https unless it is on loopback. By default, that of the running stack in `LOCAL_DIR`.',
    }),
  EPA_SYNC_TOKEN: z.string().min(1).optional().meta({
    description: 'Access token for `API_URL`. Both are set, or neither.',
  }),
});

/**
 * The API at API_URL as whoever EPA_SYNC_TOKEN is of; without them, that of the running stack as the demo user of a role.
 * @throws ConfigError; ApiError `notRunning`
 */
export function findApi(environment: NodeJS.ProcessEnv): (role: Role) => Api {
  const { API_URL: url, EPA_SYNC_TOKEN: token } = readConfig(remoteApi, environment);
  if (url !== undefined && token !== undefined) {
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
      throw new ConfigError(['API_URL: has to be https, or anyone on the way could read the token']);
    return () => createApi(url.replace(/\/+$/, ''), async () => token);
  }
  if (url !== undefined || token !== undefined)
    throw new ConfigError([
      url === undefined ? 'API_URL: is needed with EPA_SYNC_TOKEN' : 'EPA_SYNC_TOKEN: is needed with API_URL',
    ]);
  const { localDir } = readSettings(environment);
  const endpoints = readEndpoints(localDir);
  if (endpoints === undefined)
    throw new ApiError('notRunning', `no stack runs on ${localDir}: start one with npm start, or set LOCAL_DIR`);
  const { api, oidcIssuer } = endpoints;
  return (role) =>
    createApi(
      api,
      tokensFor(() => fetchToken(oidcIssuer, placesIn(localDir).issuerKeys, role)),
    );
}

/** Half of a token's life: a run may be watched for days. */
const tokenMs = 30 * 60_000;

function tokensFor(fetchNew: () => Promise<string>): () => Promise<string> {
  let token: string | undefined;
  let fetchedAtMs = 0;
  return async () => {
    if (token === undefined || performance.now() - fetchedAtMs > tokenMs) {
      token = await fetchNew();
      fetchedAtMs = performance.now();
    }
    return token;
  };
}

/** API Gateway gives a Lambda 29 s; a document may be large, and the way long. */
const answerMs = 35_000;
const documentMs = 10 * 60_000;

function createApi(url: string, tokenOf: () => Promise<string>): Api {
  const send = async (address: string, limitMs: number, init: RequestInit = {}): Promise<string> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(address, { ...init, signal: AbortSignal.timeout(limitMs) });
      text = Buffer.from(await response.arrayBuffer()).toString(); // text() would drop a byte order mark
    } catch (error) {
      throw new ApiError('notRunning', `no API answers at ${url}: start one with npm start, or set API_URL`, {
        cause: error,
      });
    }
    if (!response.ok) throw errorOf(response, text, url);
    return text;
  };
  const ask = async <Answer>(path: string, init: RequestInit): Promise<Answer> => {
    const headers = { authorization: `Bearer ${await tokenOf()}`, ...init.headers };
    const text = await send(`${url}${path}`, answerMs, { ...init, headers });
    try {
      return parseLossless(text) as Answer;
    } catch {
      throw new ApiError('failed', `what answers at ${url} is no API of epa-sync: is API_URL right?`); // a cause would quote it
    }
  };
  const get: Api['get'] = async (path, accept = 'application/json') => await ask(path, { headers: { accept } });
  return {
    get,
    async post(path, body) {
      if (body === undefined) return await ask(path, { method: 'POST' });
      const headers = { 'content-type': 'application/json' };
      return await ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
    },
    async *pages<Page extends { readonly nextToken?: string }>(path: string) {
      let next: string | undefined;
      do {
        const page: Page = await get(next === undefined ? path : `${path}?${new URLSearchParams({ nextToken: next })}`);
        yield page;
        next = page.nextToken;
      } while (next !== undefined);
    },
    isLink: (href) => typeof href === 'string' && href.startsWith(`${url}/documents/`),
    async readLink({ href, sha256 }) {
      const text = await send(href, documentMs);
      if (createHash('sha256').update(text).digest('hex') !== sha256)
        throw new ApiError('failed', 'a document came otherwise than it was stored: repeat the command');
      return text;
    },
  };
}

const problemBody = z.object({
  type: z.string().startsWith('urn:epa-sync:problem:'),
  title: z.string(),
  detail: z.string().optional(),
  correlationId: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

function errorOf({ status, headers }: Response, text: string, url: string): ApiError {
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json');
  const { data: body } = problemBody.safeParse(isProblem ? JSON.parse(text) : undefined);
  if (body === undefined)
    return new ApiError('failed', `${url} answers ${status} and no word why: is it an API of epa-sync?`);
  const problem = body.type.split(':').at(-1) ?? '';
  const [fault, advice] = explained[problem] ?? ['failed', body.detail];
  const wrong = body.errors?.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`.trim()).join('; ');
  const trace = fault === 'failed' && body.correlationId ? ` (correlation ID ${body.correlationId})` : '';
  const message = [body.title, wrong ?? advice].filter((part) => part !== undefined && part !== '').join(': ');
  return new ApiError(fault, `${message.charAt(0).toLowerCase()}${message.slice(1)}${trace}`, { problem });
}

/** What to do about a problem that people can do something about; its title says what it is. */
const explained: Readonly<Record<string, readonly [fault: ApiFault, advice: string]>> = {
  'invalid-request': ['usage', ''],
  unauthenticated: ['failed', 'EPA_SYNC_TOKEN has expired, or is none of the issuer that this API trusts'],
  forbidden: ['failed', 'npm run sync says whose command it is'],
  'not-found': ['failed', 'the API at API_URL is of another version'],
  'patient-unknown': ['notFound', 'nobody who is stored has this KVNR or pseudonym'],
  'no-sync-yet': ['notFound', 'npm run sync -- sync'],
  'no-run-yet': ['notFound', 'start one with npm run sync -- start'],
  'no-run-under-way': ['notFound', 'start one with npm run sync -- start'],
  'no-decision-awaited': ['notFound', 'see npm run sync -- status'],
  'removals-changed': ['failed', 'see npm run sync -- status, and decide again'],
  'line-unknown': ['notFound', 'npm run worker starts one'],
  'line-superseded': ['failed', 'see npm run sync -- line, and repeat the command if it is still right'],
  'line-not-silent': [
    'failed',
    'nothing new goes out, but a request may still be under way; repeat the command until it says silent',
  ],
  'line-unavailable': ['failed', 'so nothing is promised; repeat the command until it is'],
  'sync-unavailable': ['failed', 'nothing was promised; does Temporal run, and a worker? npm run worker starts one'],
  'storage-unavailable': ['failed', 'repeat the command'],
  'access-log-unavailable': ['failed', 'so nothing was shown or done; repeat the command'],
  'care-records-changed': ['failed', 'repeat the command'],
  'too-many-requests': ['failed', 'wait a little, then repeat the command'],
  unavailable: ['failed', 'repeat the command'],
  internal: ['failed', 'the log of the API has more'],
};
