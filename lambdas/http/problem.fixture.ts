import type { OperationOutcome } from 'fhir/r4.js';
import { type ProblemName, problemType } from './problems.ts';
import { type Operation, type OperationName, operations } from './routes.ts';
import { problem } from './schemas.ts';

export const isFhir = (name: OperationName): boolean => operations[name].group === 'fhir';

/** Returns the type of the problem in an answer: of RFC 9457, or as FHIR says it; undefined if it holds none. */
export function problemTypeIn(json: unknown): string | undefined {
  const { type, resourceType, issue } = Object(json) as { type?: string } & Partial<OperationOutcome>;
  const code = issue?.[0]?.details?.coding?.[0]?.code;
  if (resourceType !== 'OperationOutcome') return type;
  return code === undefined ? undefined : problemType(code as ProblemName);
}

/** Reads the problem in an answer of an operation. @throws Error if it is not the problem that the status demands */
export function readProblem(name: OperationName, json: unknown): { readonly type: string } {
  if (!isFhir(name)) return problem.parse(json);
  const type = problemTypeIn(json);
  if (type === undefined) throw new Error('an answer without an OperationOutcome');
  return { type };
}

/** The media type of the problems of an operation. */
export const problemMediaType = (name: OperationName): string =>
  isFhir(name) ? 'application/fhir+json' : 'application/problem+json';

/** Returns a body as it is sent, and its media type. A text is sent unchanged. */
export function sentBody(name: OperationName, body: unknown): { readonly text: string; readonly mediaType: string } {
  const { bodyType } = operations[name] as Operation;
  const mediaType = bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
  if (typeof body === 'string') return { text: body, mediaType };
  const text =
    bodyType === 'form' ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body);
  return { text, mediaType };
}
