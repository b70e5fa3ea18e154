import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import type { AccessDraft } from '../../../core/domain/access.ts';
import type { Actor } from '../actor.ts';
import type { DocumentLink } from '../document-link.ts';
import type { Problem } from '../problems.ts';
import type { OperationName } from '../routes.ts';

/** Facts about one request, which the middlewares collect in turn. */
export interface RequestFacts {
  readonly correlationId: string;
  readonly startedAtMs: number;
  operation?: OperationName;
  actor?: Actor;
  link?: DocumentLink;
  parts?: Partial<Record<'params' | 'query' | 'body', unknown>>;
  /** the problem with the parts; reported only to callers with the right role */
  partsProblem?: Problem;
  /** the one patient that the request concerns. Once set, the attempt is recorded */
  patientRef?: string | undefined;
  entity?: AccessDraft['entity'];
  isRecorded?: boolean;
}

/** A Lambda's context with the facts about the request. */
export interface RequestContext extends Context {
  facts: RequestFacts;
}

export type Middleware = MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult, Error, RequestContext>;

/**
 * Returns a header. Compares names in lower case, because API Gateway passes headers on unchanged.
 * @param name in lower case
 */
export function headerOf({ headers }: Pick<APIGatewayProxyEvent, 'headers'>, name: string): string | undefined {
  for (const [key, value] of Object.entries(headers ?? {})) if (key.toLowerCase() === name) return value;
  return undefined;
}
