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

/** Clocks of issuer and Lambda may differ by so much, seconds. */
const clockToleranceSeconds = 5;
const issuerMs = 3_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** @throws Problem `unauthenticated`, `unavailable` when the issuer's keys cannot be had */
export type VerifyToken = (token: string) => Promise<Actor>;

/** Tokens of the issuer who knows our roles. */
export const createTokenVerifier = ({
  OIDC_ISSUER: issuer,
  OIDC_AUDIENCE: audience,
  OIDC_JWKS: jwks,
  OIDC_ROLES_CLAIM: rolesClaim,
}: Pick<ApiConfig, 'OIDC_ISSUER' | 'OIDC_AUDIENCE' | 'OIDC_JWKS' | 'OIDC_ROLES_CLAIM'>): VerifyToken =>
  verifierOf({ issuer, audience, jwks, rolesOf: (payload) => rolesIn(payload[rolesClaim]) });

/** Where Temporal Cloud's tokens have the e-mail address of whoever is signed in to its page; then where others have it. */
const emailClaims = ['https://saas-api.tmprl.cloud/user/email', 'email'];

/**
 * Besides the tokens of our issuer, those that Temporal's page passes on, when they are of another one
 * (CODEC_OIDC_ISSUER): it knows no roles of ours, so that operators are those who are listed (CODEC_READERS).
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

/** Whom a token says it is of: nothing is believed yet. */
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
  /** its keys, where they are known; else they are fetched once, and again when a token names one that is new */
  readonly jwks?: string | undefined;
  readonly rolesOf: (payload: JWTPayload) => Role[];
}

/** Tokens of one OIDC issuer. */
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
