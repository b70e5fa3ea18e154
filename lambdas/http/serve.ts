import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import type { Meta } from 'fhir/r4.js';
import { type Clients, clientsOfContainer } from '../clients.ts';
import { logger, traced } from '../observability.ts';
import { apiUrlOf } from './api-url.ts';
import { accessDraft, accessEntry, sourceOf } from './middleware/access-entry.ts';
import { answerHeaders } from './middleware/answer-headers.ts';
import { authentication } from './middleware/authentication.ts';
import { authorization } from './middleware/authorization.ts';
import { observation } from './middleware/observation.ts';
import { operationOf, operationSearch } from './middleware/operation-search.ts';
import { problemAnswers } from './middleware/problem-answers.ts';
import { headerOf, type RequestContext } from './middleware/request.ts';
import { validation } from './middleware/validation.ts';
import type { Call, Handler, HandlersOf, Reply } from './operation.ts';
import type { Group, OperationName } from './routes.ts';

/** Creates the Lambda handler of one group of operations. The last middleware in the list is nearest to the handler. */
export function serve<G extends Group>(group: G, handlers: HandlersOf<G>) {
  const answer = middy<APIGatewayProxyEvent, APIGatewayProxyResult, Error, RequestContext>()
    .use(injectLambdaContext(logger, { resetKeys: true, logEvent: false }))
    .use(observation())
    .use(answerHeaders(group))
    .use(problemAnswers())
    .use(operationSearch(group))
    .use(authentication(clientsOfContainer))
    .use(validation())
    .use(authorization(clientsOfContainer))
    .use(accessEntry(clientsOfContainer))
    .handler(async (event, context) => {
      const { facts } = context;
      const handler = (handlers as Partial<Record<OperationName, Handler<OperationName>>>)[
        facts.operation as OperationName
      ];
      if (handler === undefined) throw new Error(`no handler for the operation ${facts.operation}`);
      // a group without sign-in has no settings to read
      const clients = operationOf(facts).roles === 'anyone' ? ({} as Clients) : await clientsOfContainer();
      const reply = await handler(callOf(event, context), clients);
      if (reply.entity) facts.entity = reply.entity;
      if (reply.isRecorded) facts.isRecorded = true;
      return resultOf(operationOf(facts).answer.status, reply);
    });
  return async (event: APIGatewayProxyEvent, context: RequestContext): Promise<APIGatewayProxyResult> =>
    await traced(`${event.httpMethod} ${event.resource}`, async () => await answer(event, context));
}

function callOf(event: APIGatewayProxyEvent, { facts }: RequestContext): Call<OperationName> {
  const { parts = {}, actor = { who: '', roles: [] }, patientRef = '', link } = facts;
  return {
    params: parts.params,
    query: parts.query,
    body: parts.body,
    actor,
    patientRef,
    link,
    apiUrl: apiUrlOf(event),
    acceptsFhir: /application\/fhir\+json/i.test(headerOf(event, 'accept') ?? ''),
    acceptsCsv: /text\/csv/i.test(headerOf(event, 'accept') ?? ''),
    source: sourceOf(event, facts),
    accessDraft: (of = patientRef) => accessDraft(event, { ...facts, patientRef: of }, 'success'),
  } as Call<OperationName>;
}

function resultOf(statusCode: number, reply: Reply<OperationName>): APIGatewayProxyResult {
  if ('location' in reply) return { statusCode: 302, headers: { location: reply.location }, body: '' };
  if ('fhir' in reply) {
    const headers = { 'content-type': 'application/fhir+json', ...versionHeaders(reply.fhir) };
    return { statusCode, headers, body: JSON.stringify(reply.fhir) };
  }
  if ('csv' in reply) {
    const headers = {
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="${reply.fileName}"`,
    };
    return { statusCode, headers, body: reply.csv };
  }
  const body = 'text' in reply ? reply.text : JSON.stringify(reply.body);
  return { statusCode, headers: { 'content-type': 'application/json' }, body };
}

/** Returns the version of a resource as headers (FHIR R4, http, "Managing Resource Contention"). */
function versionHeaders({ meta }: { readonly meta?: Meta | undefined }): Record<string, string> {
  return {
    ...(meta?.versionId !== undefined && { etag: `W/"${meta.versionId}"` }),
    ...(meta?.lastUpdated !== undefined && { 'last-modified': new Date(meta.lastUpdated).toUTCString() }),
  };
}
