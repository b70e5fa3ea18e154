import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ConfigError, readConfig } from '../core/config.ts';
import type { ContentLink } from '../core/contract/document-content.ts';
import type { Role } from '../core/domain/access.ts';
import { parseLossless } from '../core/json/lossless.ts';
import { readEndpoints } from '../local/endpoints.ts';
import { fetchToken } from '../local/oidc/token.ts';
import { pathsIn, readSettings } from '../local/settings.ts';
import { CommandError, type CommandFault } from './command-error.ts';

/** A client of the HTTP API. Answers are parsed by `parseLossless`, so that numbers stay as the insurer wrote them. */
export interface Api {
  /** @throws ApiError */
  get<Answer>(path: string, accept?: 'application/json' | 'application/fhir+json'): Promise<Answer>;
  /** Returns an answer as it is. @throws ApiError */
  getText(path: string, accept: 'text/csv'): Promise<string>;
  /** @throws ApiError */
  post<Answer>(path: string, body?: object): Promise<Answer>;
  /** Yields all pages of an answer, in order. @throws ApiError */
  pages<Page extends { readonly nextToken?: string }>(path: string): AsyncIterable<Page>;
  /** Returns whether a value is a link to this API. Only such links may be followed. */
  isLink(href: unknown): boolean;
  /**
   * Fetches the file or the text of a link, without a token.
   * @throws ApiError, also if it does not match the link's SHA-256
   */
  readLink(link: Pick<ContentLink, 'href' | 'sha256'>): Promise<Buffer>;
}

/** One page of an answer. */
export type Paged<Answer> = Answer & { readonly nextToken?: string };

/** A request to the API that failed. */
export class ApiError extends CommandError {
  override readonly name = 'ApiError';
  /** name of the problem, if the answer was one (docs/reference/problems.md) */
  readonly problem?: string;
  constructor(fault: CommandFault, message: string, { problem, ...options }: ErrorOptions & { problem?: string } = {}) {
    super(fault, message, options);
    if (problem !== undefined) this.problem = problem;
  }
}

/** Settings for another API than that of the running stack. */
export const remoteApi = z.object({
  API_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'API that `npm run sync` calls; must be https unless it is on loopback. By default, that of the running stack in `LOCAL_DIR`.',
    }),
  EPA_SYNC_TOKEN: z.string().min(1).optional().meta({
    description: 'Access token for `API_URL`. Both are set, or neither.',
  }),
});

/**
 * Returns a client of the API at API_URL, with the token in EPA_SYNC_TOKEN. Without these variables, returns a client of
 * the running stack, as the demo user of the role.
 * @throws ConfigError
 * @throws ApiError `notRunning` if no stack runs in LOCAL_DIR
 */
export function findApi(environment: NodeJS.ProcessEnv, role: Role): Api {
  const { API_URL: url, EPA_SYNC_TOKEN: token } = readConfig(remoteApi, environment);
  if (url !== undefined && token !== undefined) {
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
      throw new ConfigError(['API_URL: must be https, because the token would be readable on the network']);
    return createApi(url.replace(/\/+$/, ''), async () => token);
  }
  if (url !== undefined || token !== undefined)
    throw new ConfigError([
      url === undefined ? 'API_URL: is needed with EPA_SYNC_TOKEN' : 'EPA_SYNC_TOKEN: is needed with API_URL',
    ]);
  const { localDir } = readSettings(environment);
  const endpoints = readEndpoints(localDir);
  if (endpoints === undefined)
    throw new ApiError('notRunning', `no stack runs in ${localDir}. Start one with npm start, or set LOCAL_DIR.`);
  const { api, oidcIssuer } = endpoints;
  return createApi(
    api,
    cacheToken(() => fetchToken(oidcIssuer, pathsIn(localDir).issuerKeys, role)),
  );
}

/** Half of a token's lifetime. `status --watch` may run for days. */
const tokenMaxAgeMs = 30 * 60_000;

function cacheToken(fetchNew: () => Promise<string>): () => Promise<string> {
  let token: string | undefined;
  let fetchedAtMs = 0;
  return async () => {
    if (token === undefined || performance.now() - fetchedAtMs > tokenMaxAgeMs) {
      token = await fetchNew();
      fetchedAtMs = performance.now();
    }
    return token;
  };
}

/** API Gateway allows a Lambda 29 s. */
const answerTimeoutMs = 35_000;
/** Documents can be large, and the connection slow. */
const documentTimeoutMs = 10 * 60_000;

function createApi(url: string, readToken: () => Promise<string>): Api {
  const send = async (address: string, timeoutMs: number, init: RequestInit = {}): Promise<Buffer> => {
    let response: Response;
    let bytes: Buffer;
    try {
      response = await fetch(address, { ...init, signal: AbortSignal.timeout(timeoutMs) });
      bytes = Buffer.from(await response.arrayBuffer()); // response.text() would drop a byte order mark
    } catch (error) {
      throw new ApiError('notRunning', `no API answers at ${url}. Start one with npm start, or set API_URL.`, {
        cause: error,
      });
    }
    if (!response.ok) throw toApiError(response, bytes.toString(), url);
    return bytes;
  };
  const askText = async (path: string, init: RequestInit): Promise<string> => {
    const headers = { authorization: `Bearer ${await readToken()}`, ...init.headers };
    return (await send(`${url}${path}`, answerTimeoutMs, { ...init, headers })).toString();
  };
  const ask = async <Answer>(path: string, init: RequestInit): Promise<Answer> => {
    const text = await askText(path, init);
    try {
      return parseLossless(text) as Answer;
    } catch {
      throw new ApiError('failed', `the answer from ${url} is not JSON. Check API_URL.`); // no cause: its message would quote the answer
    }
  };
  const get: Api['get'] = async (path, accept = 'application/json') => await ask(path, { headers: { accept } });
  return {
    get,
    getText: async (path, accept) => await askText(path, { headers: { accept } }),
    async post(path, body) {
      if (body === undefined) return await ask(path, { method: 'POST' });
      const headers = { 'content-type': 'application/json' };
      return await ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
    },
    async *pages<Page extends { readonly nextToken?: string }>(path: string) {
      let next: string | undefined;
      do {
        const more = `${path.includes('?') ? '&' : '?'}${new URLSearchParams({ nextToken: next ?? '' })}`;
        const page: Page = await get(next === undefined ? path : `${path}${more}`);
        yield page;
        next = page.nextToken;
      } while (next !== undefined);
    },
    isLink: (href) => typeof href === 'string' && href.startsWith(`${url}/documents/`),
    async readLink({ href, sha256 }) {
      const bytes = await send(href, documentTimeoutMs);
      if (createHash('sha256').update(bytes).digest('hex') !== sha256)
        throw new ApiError('failed', 'a document does not match its SHA-256. Repeat the command.');
      return bytes;
    },
  };
}

const problemBody = z.object({
  type: z.string().startsWith('urn:epa-sync:problem:'),
  title: z.string(),
  detail: z.string().optional(),
  correlationId: z.string().optional(),
  made: z.object({ decision: z.enum(['approve', 'reject']), by: z.string(), decidedAt: z.string() }).optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

function toApiError({ status, headers }: Response, text: string, url: string): ApiError {
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json');
  const { data: body } = problemBody.safeParse(isProblem ? JSON.parse(text) : undefined);
  if (body === undefined)
    return new ApiError('failed', `${url} answered ${status} without a problem document. Check API_URL.`);
  const problem = body.type.split(':').at(-1) ?? '';
  const [fault, usualAdvice] = adviceByProblem[problem] ?? ['failed'];
  const advice = body.detail ?? usualAdvice;
  const wrong = body.errors?.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`.trim()).join('; ');
  const what = `${body.title.charAt(0).toLowerCase()}${body.title.slice(1)}`;
  const made = body.made && `: ${body.made.decision} by ${body.made.by} at ${body.made.decidedAt}`;
  const trace = fault === 'failed' && body.correlationId ? ` Correlation ID: ${body.correlationId}.` : '';
  const message = wrong === undefined ? `${what}${made ?? ''}. ${advice ?? ''}` : `${what}: ${wrong}.`;
  return new ApiError(fault, `${message.trim()}${trace}`, { problem });
}

/** Exit code and advice by the name of a problem. The `detail` of an answer knows more, so it replaces the advice. */
const adviceByProblem: Readonly<Record<string, readonly [fault: CommandFault, advice: string]>> = {
  'invalid-request': ['usage', ''],
  unauthenticated: ['failed', 'EPA_SYNC_TOKEN has expired, or comes from an issuer that this API does not trust.'],
  forbidden: ['failed', 'npm run sync -- --help lists the role of each command.'],
  'not-found': ['failed', 'The API at API_URL has another version.'],
  'patient-unknown': ['notFound', 'Check the KVNR or pseudonym.'],
  'no-sync-yet': ['notFound', 'Request one with npm run sync -- sync.'],
  'issue-unknown': ['notFound', 'npm run sync -- issues lists them with their IDs.'],
  'no-run-yet': ['notFound', 'Start one with npm run sync -- start.'],
  'no-run-under-way': ['notFound', 'Start one with npm run sync -- start.'],
  'run-stopping': ['failed', 'Repeat the command once npm run sync -- status reports its end.'],
  'no-decision-awaited': ['notFound', 'See npm run sync -- status.'],
  'decision-unknown': ['notFound', 'See npm run sync -- status.'],
  'decision-made': ['failed', 'See npm run sync -- status.'],
  'decision-outdated': ['failed', 'See npm run sync -- status, and decide again if it asks.'],
  'line-unknown': ['notFound', 'Start a worker with npm run worker.'],
  'line-superseded': ['failed', 'See npm run sync -- line. Repeat the command if it is still right.'],
  'line-not-silent': [
    'failed',
    'No new request begins, but one may still be in flight. Repeat the command until it reports silence.',
  ],
  'line-unavailable': ['failed', 'Nothing is confirmed. Repeat the command until it succeeds.'],
  'sync-unavailable': [
    'failed',
    'Nothing was promised. Check that Temporal and a worker run (npm run worker starts one).',
  ],
  'storage-unavailable': ['failed', 'Repeat the command.'],
  'access-log-unavailable': ['failed', 'Nothing was shown or done. Repeat the command.'],
  'care-records-changed': ['failed', 'Repeat the command.'],
  'cursor-too-old': ['failed', 'Ask for a new cursor with --since now, and fetch everything again.'],
  'report-too-large': ['failed', 'Ask for a shorter period.'],
  'export-unknown': ['notFound', 'Check the ID: npm run sync -- export status shows the newest one.'],
  'export-in-progress': ['failed', 'Wait for it, or cancel it with npm run sync -- export cancel.'],
  'export-ended': ['failed', 'Start a new one with npm run sync -- export start.'],
  'too-many-requests': ['failed', 'Wait, then repeat the command.'],
  unavailable: ['failed', 'Repeat the command.'],
  internal: ['failed', 'The log of the API has the details.'],
};
