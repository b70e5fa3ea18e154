import { randomUUID } from 'node:crypto';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { AccessDraft } from '../../../core/domain/access.ts';
import type { Clients } from '../../clients.ts';
import { operationOf } from './operation-search.ts';
import { problemOf } from './problem-answers.ts';
import type { Middleware, RequestFacts } from './request.ts';

/**
 * Records each attempt to access a patient's data before the answer is sent. If the attempt cannot be recorded, the
 * answer is a problem instead (docs/reference/access-log.md).
 */
export function accessEntry(clients: () => Promise<Clients>): Middleware {
  const record = async (event: APIGatewayProxyEvent, facts: RequestFacts, outcome: AccessDraft['outcome']) => {
    if (facts.patientRef === undefined || facts.isRecorded) return;
    facts.isRecorded = true; // set before the call, so that a failure does not record the same attempt twice
    await (await clients()).patientRecord.recordAccess(accessDraft(event, facts, outcome));
  };
  return {
    after: async ({ event, context: { facts } }) => await record(event, facts, 'success'),
    onError: async (request) => {
      const { problem } = problemOf(request.error);
      if (problem === 'access-log-unavailable') return;
      await record(request.event, request.context.facts, problem === 'forbidden' ? 'refused' : 'failed').catch(
        (error: unknown) => {
          request.error = error as Error;
        },
      );
    },
  };
}

export function accessDraft(
  event: APIGatewayProxyEvent,
  facts: RequestFacts,
  outcome: AccessDraft['outcome'],
): AccessDraft {
  const { roles, access } = operationOf(facts);
  const { actor, patientRef, entity } = facts;
  if (access === undefined || actor === undefined || patientRef === undefined)
    throw new Error('cannot record an access: operation, actor or patient is missing');
  const { who, name } = actor;
  const role = actor.roles.find((own) => roles === 'link' || roles.includes(own as never)) ?? actor.roles[0] ?? 'none';
  return {
    id: randomUUID(),
    patientRef,
    recorded: new Date().toISOString(),
    operation: access,
    outcome,
    agent: { who, ...(name !== undefined && { name }), role },
    source: sourceOf(event, facts),
    ...(entity && { entity }),
  };
}

/** Returns from where a request comes. */
export function sourceOf(
  event: APIGatewayProxyEvent,
  { correlationId }: Pick<RequestFacts, 'correlationId'>,
): AccessDraft['source'] {
  const address = event.requestContext?.identity?.sourceIp;
  return { component: 'api', correlationId, ...(address && { address }) };
}
