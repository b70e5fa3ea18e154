import type { ContentLink } from '../../core/contract/document-content.ts';
import { parseLossless } from '../../core/json/lossless.ts';
import type { Session } from '../session.ts';
import type { ProblemName } from './types.ts';

const problemPrefix = 'urn:epa-sync:problem:';
/** Timeouts of requests, in milliseconds. A pause may take longer than a lease, and a long report takes many seconds. */
const answerTimeoutMs = 15_000;
const pauseTimeoutMs = 90_000;
const reportTimeoutMs = 35_000;
/** Timeout of a document, in milliseconds: it may have tens of megabytes, and the user a slow connection. */
const documentTimeoutMs = 300_000;

/** A failed request: `problem` is the problem that the API named, or `unreachable` if the API did not answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: ProblemName | 'unreachable';
  readonly correlationId: string | undefined;
  constructor(problem: ProblemName | 'unreachable', correlationId?: string, options?: ErrorOptions) {
    super(`api ${problem}`, options);
    this.problem = problem;
    this.correlationId = correlationId;
  }
}

/** The API, or a service that it needs, is unavailable or busy: the same request may succeed later. */
const transientProblems: readonly (ProblemName | 'unreachable')[] = [
  'unreachable',
  'unavailable',
  'internal',
  'too-many-requests',
  'storage-unavailable',
  'access-log-unavailable',
  'sync-unavailable',
  'line-unavailable',
];

export const isTransient = (error: unknown): boolean =>
  error instanceof ApiError && transientProblems.includes(error.problem);

export type Link = Pick<ContentLink, 'href' | 'sizeBytes' | 'sha256'>;

type Query = Readonly<Record<string, string | undefined>>;

/**
 * Calls the HTTP API as the signed-in user.
 * @throws ApiError from every method
 */
export interface Api {
  get<Answer>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer>;
  /** Returns the answer's body as text. @param accept its media type */
  getText(path: string, query: Query, accept: string): Promise<string>;
  post<Answer>(path: string, body?: object): Promise<Answer>;
  /** Returns the file at an address that the API has made, as of a report. Sends no token. */
  fetchFile(url: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Returns the file or the text behind a link among the insurer's data. Sends no token. */
  fetchLink(link: Link): Promise<Uint8Array<ArrayBuffer>>;
}

const timeoutOf = (path: string): number => {
  if (path === '/line/pause') return pauseTimeoutMs;
  return path.endsWith('/access-log/report') ? reportTimeoutMs : answerTimeoutMs;
};

export function createApi(apiUrl: string, session: Session): Api {
  const ask = async (path: string, init: RequestInit & { readonly accept?: string }): Promise<Response> => {
    const { accept = 'application/json', headers, signal, ...rest } = init;
    const limit = AbortSignal.timeout(timeoutOf(path));
    const send = async () =>
      await fetch(`${apiUrl}${path}`, {
        ...rest,
        headers: { ...headers, accept, authorization: `Bearer ${session.token ?? ''}` },
        signal: signal ? firstOf(signal, limit) : limit,
        cache: 'no-store',
        credentials: 'omit',
      }).catch((error: unknown) => {
        if (signal?.aborted) throw error;
        throw new ApiError('unreachable', undefined, { cause: error });
      });
    const response = await send();
    const answered = response.status === 401 && (await session.renew()) ? await send() : response;
    if (!answered.ok) throw await readProblem(answered);
    return answered;
  };
  const read = async <Answer>(response: Promise<Response>): Promise<Answer> => {
    const text = await (await response).text().catch((error: unknown) => {
      throw new ApiError('unreachable', undefined, { cause: error });
    });
    return parseLossless(text) as Answer;
  };
  const post: Api['post'] = async (path, body) =>
    await read(
      ask(path, {
        method: 'POST',
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    );
  const fetchFile: Api['fetchFile'] = async (url) => {
    const signal = AbortSignal.timeout(documentTimeoutMs);
    const response = await fetch(url, { cache: 'no-store', credentials: 'omit', signal }).catch(unreachable);
    if (!response.ok) throw await readProblem(response);
    return new Uint8Array(await response.arrayBuffer().catch(unreachable));
  };
  return {
    get: async (path, query = {}, signal) => await read(ask(path + queryString(query), signal ? { signal } : {})),
    getText: async (path, query, accept) => await (await ask(path + queryString(query), { accept })).text(),
    post,
    fetchFile,
    async fetchLink({ href }) {
      // a field from the insurer may look like a link
      if (!href.startsWith(`${apiUrl}/`)) throw new ApiError('document-unknown');
      return await fetchFile(href);
    },
  };
}

/** Does what AbortSignal.any does, which Safari has since 17.4 and Firefox since 124. */
function firstOf(...signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true, signal: controller.signal });
  }
  return controller.signal;
}
const unreachable = (error: unknown): never => {
  throw new ApiError('unreachable', undefined, { cause: error });
};

const queryString = (query: Query): string => {
  const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

async function readProblem(response: Response): Promise<ApiError> {
  const { type, correlationId } = (await response.json().catch(() => ({}))) as Partial<Record<string, string>>;
  const name = type?.startsWith(problemPrefix) ? (type.slice(problemPrefix.length) as ProblemName) : undefined;
  // without a problem type, a gateway answered instead of the API
  return new ApiError(name ?? (response.status === 429 ? 'too-many-requests' : 'unreachable'), correlationId);
}
