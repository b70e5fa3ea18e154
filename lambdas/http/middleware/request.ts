import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import type { AccessDraft } from '../../../core/domain/access.ts';
import type { Actor } from '../actor.ts';
import type { DocumentLink } from '../document-link.ts';
import type { Problem } from '../problems.ts';
import type { OperationName } from '../routes.ts';

/** What the middlewares find out about one request, one after the other. */
export interface RequestFacts {
  readonly correlationId: string;
  readonly startedAtMs: number;
  operation?: OperationName;
  actor?: Actor;
  link?: DocumentLink;
  parts?: Partial<Record<'params' | 'query' | 'body', unknown>>;
  /** what is wrong with the parts; told only to who may ask */
  partsProblem?: Problem;
  /** whom the request concerns, if that is one patient: from then on the attempt will be recorded */
  patientRef?: string | undefined;
  entity?: AccessDraft['entity'];
  isRecorded?: boolean;
}

/** A Lambda's context with what is known of the request. */
export interface RequestContext extends Context {
  facts: RequestFacts;
}

export type Middleware = MiddlewareObj<APIGatewayProxyEvent, APIGatewayProxyResult, Error, RequestContext>;

/** @param name in lower case: API Gateway hands headers on as they came */
export function headerOf({ headers }: Pick<APIGatewayProxyEvent, 'headers'>, name: string): string | undefined {
  for (const [key, value] of Object.entries(headers ?? {})) if (key.toLowerCase() === name) return value;
  return undefined;
}
