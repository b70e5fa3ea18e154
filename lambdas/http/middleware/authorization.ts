import { patientRefOf } from '../../../core/crypto/pseudonyms.ts';
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

/** Returns the patientRef of the patient in the request: from a pseudonym in path or body, or from a KVNR in the body. */
function patientOf({ parts }: RequestFacts, pseudonymKey: string): string | undefined {
  const named = { ...(parts?.body as object), ...(parts?.params as object) } as {
    readonly patientRef?: string;
    readonly kvnr?: Kvnr;
  };
  if (named.kvnr === undefined) return named.patientRef;
  return patientRefOf(named.kvnr, Buffer.from(pseudonymKey, 'base64'));
}
