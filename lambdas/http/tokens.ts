import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { z } from 'zod';
import type { ApiConfig } from '../../core/config.ts';
import { type Role, rolesIn } from '../../core/domain/access.ts';
import type { Actor } from './actor.ts';
import { Problem } from './problems.ts';

/** Allowed difference between the clocks of issuer and Lambda, seconds. */
const clockToleranceSeconds = 5;
const issuerMs = 3_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/**
 * Verifies a token and returns its actor.
 * @throws Problem `unauthenticated`; `unavailable` if the keys of the issuer cannot be fetched
 */
export type VerifyToken = (token: string) => Promise<Actor>;

/** Creates the verifier for tokens of the issuer that knows the roles. */
export const createTokenVerifier = ({
  OIDC_ISSUER: issuer,
  OIDC_AUDIENCE: audience,
  OIDC_JWKS: jwks,
  OIDC_ROLES_CLAIM: rolesClaim,
}: Pick<ApiConfig, 'OIDC_ISSUER' | 'OIDC_AUDIENCE' | 'OIDC_JWKS' | 'OIDC_ROLES_CLAIM'>): VerifyToken =>
  verifierOf({ issuer, audience, jwks, rolesOf: (payload) => rolesIn(payload[rolesClaim]) });

/** Claims with the e-mail address of the person: in tokens of Temporal Cloud, and in other tokens. */
const emailClaims = ['https://saas-api.tmprl.cloud/user/email', 'email'];

/**
 * Creates the verifier for the codec endpoint. It also accepts tokens that the Temporal UI passes on from another issuer
 * (CODEC_OIDC_ISSUER). That issuer does not know the roles, so the people in CODEC_READERS count as operators.
 */
export function createCodecTokenVerifier(
  {
    CODEC_OIDC_ISSUER: issuer,
    CODEC_OIDC_AUDIENCE,
    OIDC_AUDIENCE,
    CODEC_READERS,
  }: Pick<ApiConfig, 'CODEC_OIDC_ISSUER' | 'CODEC_OIDC_AUDIENCE' | 'OIDC_AUDIENCE' | 'CODEC_READERS'>,
  verifyToken: VerifyToken,
): VerifyToken {
  if (issuer === undefined) return verifyToken;
  const subjects = new Set(CODEC_READERS);
  const addresses = new Set(CODEC_READERS.map((reader) => reader.toLowerCase()));
  const isReader = (payload: JWTPayload): boolean => {
    if (subjects.has(payload.sub ?? '')) return true;
    const claimed = payload['email_verified'] === false ? [] : emailClaims.map((claim) => payload[claim]);
    return claimed.some((address) => typeof address === 'string' && addresses.has(address.toLowerCase()));
  };
  const verifyOther = verifierOf({
    issuer,
    audience: CODEC_OIDC_AUDIENCE ?? OIDC_AUDIENCE,
    rolesOf: (payload) => (isReader(payload) ? ['operator'] : []),
  });
  return async (token) => await (issuerOf(token) === issuer ? verifyOther : verifyToken)(token);
}

/** Returns the issuer that a token claims. The token is not verified yet. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

interface TokenRules {
  readonly issuer: string;
  readonly audience: string;
  /** the keys of the issuer. Without them they are fetched once, and again if a token names a new key */
  readonly jwks?: string | undefined;
  readonly rolesOf: (payload: JWTPayload) => Role[];
}

/** Creates the verifier for tokens of one OIDC issuer. */
function verifierOf({ issuer, audience, jwks, rolesOf }: TokenRules): VerifyToken {
  let keys: Promise<JWTVerifyGetKey> | undefined =
    jwks === undefined ? undefined : Promise.resolve(createLocalJWKSet(JSON.parse(jwks) as JSONWebKeySet));
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
      return actorOf(payload, rolesOf(payload));
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(isTokenFault(error) ? 'unauthenticated' : 'unavailable', {}, { cause: error });
    }
  };
}

async function discoverKeys(issuer: string) {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(address, { signal: AbortSignal.timeout(issuerMs), redirect: 'error' });
  if (!response.ok) throw new Error(`the OIDC discovery of the issuer answers ${response.status}`);
  const found = discovery.parse(await response.json());
  if (found.issuer !== issuer) throw new Error('the OIDC discovery names another issuer than OIDC_ISSUER');
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: issuerMs });
}

/** Returns whether the token is wrong. Otherwise the issuer cannot be reached, or does not return a key set. */
const isTokenFault = (error: unknown): boolean =>
  error instanceof errors.JOSEError &&
  error.code !== errors.JOSEError.code && // the code of any answer of the issuer except 200
  !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid);

function actorOf(payload: JWTPayload, ownRoles: Role[]): Actor {
  const who = payload.sub ?? '';
  if (who === '' || who.length > 200) throw new Problem('unauthenticated');
  const name = payload['name'];
  return {
    who,
    ...(typeof name === 'string' && name !== '' && { name: name.slice(0, 200) }),
    roles: ownRoles,
  };
}
