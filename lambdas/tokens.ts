import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { z } from 'zod';
import type { ApiConfig } from '../core/config.ts';
import { type Role, roles } from '../core/domain/access.ts';
import type { Actor } from './operation.ts';
import { Problem } from './problems.ts';

/** Clocks of issuer and Lambda may differ by so much, seconds. */
const clockToleranceSeconds = 5;
const issuerMs = 3_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** @throws Problem `unauthenticated`, `unavailable` when the issuer's keys cannot be had */
export type VerifyToken = (token: string) => Promise<Actor>;

/** Tokens of one OIDC issuer. Its keys are fetched once, and again when a token names one that is new. */
export function createTokenVerifier({
  OIDC_ISSUER: issuer,
  OIDC_AUDIENCE: audience,
  OIDC_ROLES_CLAIM: rolesClaim,
}: Pick<ApiConfig, 'OIDC_ISSUER' | 'OIDC_AUDIENCE' | 'OIDC_ROLES_CLAIM'>): VerifyToken {
  let keys: Promise<ReturnType<typeof createRemoteJWKSet>> | undefined;
  const issuerKeys = () => {
    keys ??= discoverKeys(issuer).catch((error: unknown) => {
      keys = undefined; // the next request tries again
      throw error;
    });
    return keys;
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, await issuerKeys(), {
        issuer,
        audience,
        algorithms: ['RS256', 'ES256'],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub'],
      });
      return actorOf(payload, rolesClaim);
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(isTokensFault(error) ? 'unauthenticated' : 'unavailable', {}, { cause: error });
    }
  };
}

async function discoverKeys(issuer: string) {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(issuerMs), redirect: 'error' });
  if (!response.ok) throw new Error(`the issuer answers ${response.status}`);
  const found = discovery.parse(await response.json());
  if (found.issuer !== issuer) throw new Error('the issuer goes by another name');
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: issuerMs });
}

/** Whether it is the token that is wrong; if not, the issuer cannot be reached, or answers what is no set of keys. */
const isTokensFault = (error: unknown): boolean =>
  error instanceof errors.JOSEError &&
  error.code !== errors.JOSEError.code && // what any answer but 200 of the issuer is
  !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid);

function actorOf(payload: JWTPayload, rolesClaim: string): Actor {
  const who = payload.sub ?? '';
  if (who === '' || who.length > 200) throw new Problem('unauthenticated');
  const claimed = payload[rolesClaim];
  const names: readonly unknown[] = Array.isArray(claimed) ? claimed : [claimed];
  const name = payload['name'];
  return {
    who,
    ...(typeof name === 'string' && name !== '' && { name: name.slice(0, 200) }),
    roles: roles.filter((role: Role) => names.includes(role)),
  };
}
