import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { z } from 'zod';
import { type FieldError, Problem } from '../problems.ts';
import type { Operation } from '../routes.ts';
import { noFields } from '../schemas.ts';
import { operationOf } from './operation-search.ts';
import { headerOf, type Middleware } from './request.ts';

/** Default limit for bodies: ten times what most operations need. */
const usualMaxBytes = 16 * 1024;

type Part = FieldError['in'];

/**
 * Parses path, query and body with the operation's schemas. Problems are kept in `facts` and reported after
 * authorization.
 */
export function validation(): Middleware {
  return {
    before: ({ event, context: { facts } }) => {
      const operation = operationOf(facts);
      const errors: FieldError[] = [];
      const read = (part: Part, schema: z.ZodType | undefined, value: unknown): unknown => {
        const { success, data, error } = (schema ?? noFields).safeParse(value);
        if (success) return data;
        errors.push(...error.issues.flatMap((issue) => fieldErrors(part, issue)));
        return undefined;
      };
      facts.parts = {
        params: read('path', operation.params, event.pathParameters ?? {}),
        query: read('query', operation.query, queryOf(event)),
      };
      try {
        if (operation.body) facts.parts.body = read('body', operation.body, bodyOf(event, operation));
        else if (event.body && !isEmptyObject(event)) errors.push({ in: 'body', pointer: '', detail: 'must be empty' });
        if (errors.length > 0) throw new Problem('invalid-request', { errors });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        facts.partsProblem = error;
      }
    },
  };
}

const queryOf = ({ multiValueQueryStringParameters: lists }: APIGatewayProxyEvent): object =>
  parametersOf(Object.entries(lists ?? {}).map(([name, list = []]) => [name, list]));

/** Returns parameters by their names. A repeated parameter becomes a list, which matches no schema. */
const parametersOf = (lists: readonly (readonly [string, readonly string[]])[]): object =>
  Object.fromEntries(lists.map(([name, list]) => [name, list.length === 1 ? list[0] : list]));

/** Whether a body says nothing, as some clients send it where none is asked for. */
const isEmptyObject = ({ body, isBase64Encoded }: APIGatewayProxyEvent): boolean =>
  Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8')
    .toString('utf8')
    .trim() === '{}';

class ForbiddenField extends Error {}

/** @throws Problem `body-too-large`, `unsupported-media-type`, `invalid-request` */
function bodyOf(event: APIGatewayProxyEvent, { bodyMaxBytes = usualMaxBytes, bodyType }: Operation): unknown {
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (body.byteLength > bodyMaxBytes)
    throw new Problem('body-too-large', { detail: `The maximum is ${bodyMaxBytes} bytes.` });
  const mediaType = bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
  const [sent = ''] = (headerOf(event, 'content-type') ?? '').split(';');
  if (sent.trim().toLowerCase() !== mediaType)
    throw new Problem('unsupported-media-type', { detail: `Set content-type: ${mediaType}.` });
  if (bodyType === 'form') {
    const form = new URLSearchParams(body.toString('utf8'));
    return parametersOf(Array.from(new Set(form.keys()), (name) => [name, form.getAll(name)]));
  }
  try {
    return JSON.parse(body.toString('utf8'), (key, value) => {
      if (key === '__proto__') throw new ForbiddenField();
      return value;
    });
  } catch (cause) {
    const detail = cause instanceof ForbiddenField ? 'has no field named __proto__' : 'is JSON';
    throw new Problem('invalid-request', { errors: [{ in: 'body', pointer: '', detail }] }, { cause });
  }
}

/**
 * Converts an issue of zod: where it is, and what the field should be. Leaves out names of unknown fields, because they
 * are input.
 */
function fieldErrors(part: Part, issue: z.core.$ZodIssue): FieldError[] {
  const pointer = issue.path.map((key) => `/${String(key)}`).join('');
  if (issue.code === 'unrecognized_keys') return [{ in: part, pointer, detail: 'has an unknown field' }];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [nearest = []] = [...issue.errors].sort((a, b) => a.length - b.length);
    return nearest.flatMap((inner) => fieldErrors(part, { ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [{ in: part, pointer, detail: issue.message }];
}
