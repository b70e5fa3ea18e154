import { patientRefOf } from '../../../core/crypto/pseudonyms.ts';
import { patientRefIn } from '../../../core/domain/fhir/care-record.ts';
import type { Kvnr } from '../../../core/domain/kvnr.ts';
import type { Clients } from '../../clients.ts';
import { Problem } from '../problems.ts';
import { operationOf } from './operation-search.ts';
import type { Middleware, RequestFacts } from './request.ts';

const rolesLeftOut =
  'The issuer has left your roles out of the token, because you are in too many groups. Your administrators can assign app roles, or send only the groups of this application.';

/**
 * Checks the roles of the caller. Reports a missing role before problems of the request, so that callers without
 * permission learn nothing.
 */
export function authorization(clients: () => Promise<Clients>): Middleware {
  return {
    before: async ({ context: { facts } }) => {
      const { roles, access } = operationOf(facts);
      if (access !== undefined) facts.patientRef ??= patientOf(facts, (await clients()).config.PSEUDONYM_KEY);
      if (Array.isArray(roles) && !roles.some((role) => facts.actor?.roles.includes(role)))
        throw new Problem('forbidden', facts.actor?.isWithoutRoles ? { detail: rolesLeftOut } : {});
      if (facts.partsProblem) throw facts.partsProblem;
    },
  };
}

/**
 * Returns the patientRef of the patient in the request. It comes from a pseudonym, from the id of one of their resources, or
 * from a KVNR in the body.
 */
function patientOf({ parts }: RequestFacts, pseudonymKey: string): string | undefined {
  const { patientRef, patient, id, kvnr, identifier } = {
    ...(parts?.body as object),
    ...(parts?.query as object),
    ...(parts?.params as object),
  } as Partial<Record<'patientRef' | 'patient' | 'id', string> & Record<'kvnr' | 'identifier', Kvnr>>;
  const number = kvnr ?? identifier;
  if (number !== undefined) return patientRefOf(number, Buffer.from(pseudonymKey, 'base64'));
  return patientRef ?? patient ?? (id === undefined ? undefined : patientRefIn(id));
}
