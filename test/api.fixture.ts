import type { Role } from '../core/domain/access.ts';
import { sentBody } from '../lambdas/http/problem.fixture.ts';
import { type OperationName, operations } from '../lambdas/http/routes.ts';
import { fetchToken } from '../local/oidc/token.ts';
import type { TestStack } from './stack.ts';

export interface ApiCall {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  /** sent as the operation takes it; a text is sent unchanged */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests check the content
  readonly json: any;
  readonly tookMs: number;
}

/** Calls an operation of the API, with the given token or none. */
export async function callApi(
  url: string,
  name: OperationName,
  { params = {}, query = '', body, headers, token }: ApiCall = {},
): Promise<Answer> {
  const { method, path } = operations[name];
  const filled = path.replace(/\{(\w+)\}/g, (_, key) => params[key] ?? '');
  const sent = body === undefined ? undefined : sentBody(name, body);
  const startedMs = performance.now();
  const answer = await fetch(`${url}${filled}${query}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(sent && { 'content-type': sent.mediaType }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(sent && { body: sent.text }),
  });
  const text = await answer.text();
  const tookMs = performance.now() - startedMs;
  return {
    ...{ status: answer.status, headers: answer.headers, text, tookMs },
    json: text === '' ? undefined : JSON.parse(text),
  };
}

/** Calls an operation with a token of a permitted role. */
export type CallWithPermittedRole = (name: OperationName, call?: ApiCall) => Promise<Answer>;

/** Fetches tokens for the API of a stack. @returns a function that calls the API, and the tokens by role */
export async function openApi({
  api,
}: TestStack): Promise<{ call: CallWithPermittedRole; tokens: ReadonlyMap<Role, string> }> {
  if (api === undefined) throw new Error('the stack has no API');
  const tokens = new Map<Role, string>();
  for (const role of ['operator', 'clinician', 'auditor', 'integration'] as const)
    tokens.set(role, await fetchToken(api.issuer, api.issuerKeys, role));
  const tokenFor = (name: OperationName): string | undefined => {
    const { roles } = operations[name];
    return typeof roles === 'string' ? undefined : tokens.get(roles[0]);
  };
  return {
    call: async (name, wanted = {}) => await callApi(api.url, name, { token: tokenFor(name), ...wanted }),
    tokens,
  };
}

/** Returns the tokens of the links to documents in an answer of readPatient. */
export function linksIn(patient: {
  readonly careRecords: readonly { readonly documents?: readonly { contentBase64?: { href?: string } }[] }[];
}): string[] {
  const hrefs = patient.careRecords.flatMap(({ documents = [] }) =>
    documents.map(({ contentBase64 }) => contentBase64?.href),
  );
  return hrefs.flatMap((href) => href?.split('/').at(-1) ?? []);
}
