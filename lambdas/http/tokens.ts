import {
  createLocalJWKSet,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import type { ApiConfig } from '../../core/config.ts';
import { claimAt, isLeftOut, type Role, rolesIn } from '../../core/domain/access.ts';
import type { Actor } from './actor.ts';
import { type IssuerKeysDeps, issuerKeysOf } from './issuer-keys.ts';
import { Problem } from './problems.ts';

/** Allowed difference between the clocks of issuer and Lambda, seconds. */
const clockToleranceSeconds = 5;

/**
 * Verifies a token and returns its actor.
 * @throws Problem `unauthenticated`; `unavailable` if the issuer is away and its keys are not known
 */
export type VerifyToken = (token: string) => Promise<Actor>;

/** Creates the verifier for tokens of the issuer that knows the roles. */
export const createTokenVerifier = (
  {
    OIDC_ISSUER: issuer,
    OIDC_AUDIENCE: audiences,
    OIDC_JWKS: jwks,
    OIDC_ROLES_CLAIM: rolesClaim,
  }: Pick<ApiConfig, 'OIDC_ISSUER' | 'OIDC_AUDIENCE' | 'OIDC_JWKS' | 'OIDC_ROLES_CLAIM'>,
  keyDeps: IssuerKeysDeps,
): VerifyToken =>
  verifierOf({
    issuer,
    audiences,
    keys:
      jwks === undefined ? issuerKeysOf(issuer, 'api', keyDeps) : createLocalJWKSet(JSON.parse(jwks) as JSONWebKeySet),
    rolesOf: (payload) => rolesIn(claimAt(payload, rolesClaim)),
    isWithoutRoles: (payload) => isLeftOut(payload, rolesClaim),
  });

/**
 * Returns the e-mail address that the issuer has verified. Otherwise people could enter that of somebody else. Tokens of
 * Temporal Cloud have another claim with an address. It does not count, because the sign-in of any other customer of
 * Temporal vouches for it.
 */
const verifiedEmail = ({ email, email_verified: isVerified }: JWTPayload): string | undefined =>
  isVerified === true && typeof email === 'string' ? email.toLowerCase() : undefined;

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
  keyDeps: IssuerKeysDeps,
): VerifyToken {
  if (issuer === undefined) return verifyToken;
  const subjects = new Set(CODEC_READERS);
  const addresses = new Set(CODEC_READERS.map((reader) => reader.toLowerCase()));
  const isReader = (payload: JWTPayload): boolean =>
    subjects.has(payload.sub ?? '') || addresses.has(verifiedEmail(payload) ?? '');
  const verifyOther = verifierOf({
    issuer,
    audiences: CODEC_OIDC_AUDIENCE === undefined ? OIDC_AUDIENCE : [CODEC_OIDC_AUDIENCE],
    keys: issuerKeysOf(issuer, 'codec', keyDeps),
    rolesOf: (payload) => (isReader(payload) ? ['operator'] : []),
    isWithoutRoles: () => false,
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
  /** the token is for one of them */
  readonly audiences: readonly string[];
  readonly keys: JWTVerifyGetKey;
  readonly rolesOf: (payload: JWTPayload) => Role[];
  /** whether the issuer has left the roles out of the token */
  readonly isWithoutRoles: (payload: JWTPayload) => boolean;
}

/** Creates the verifier for tokens of one OIDC issuer. */
function verifierOf({ issuer, audiences, keys, rolesOf, isWithoutRoles }: TokenRules): VerifyToken {
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        algorithms: ['RS256', 'ES256'],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub'],
      });
      if (!isFor(audiences, payload)) throw new Problem('unauthenticated');
      return { ...actorOf(payload, rolesOf(payload)), ...(isWithoutRoles(payload) && { isWithoutRoles: true }) };
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem(isTokenFault(error) ? 'unauthenticated' : 'unavailable', {}, { cause: error });
    }
  };
}

/**
 * Returns whether a token is an access token for this API. Those of Cognito have no `aud`. Their `client_id` names the
 * client that the token was issued to: the console, or a program. `token_use` distinguishes them from ID tokens, whose `aud` is the same client
 * (https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html).
 */
function isFor(audiences: readonly string[], { aud, client_id: clientId, token_use: use }: JWTPayload): boolean {
  if (use !== undefined && use !== 'access') return false;
  if (aud === undefined) return use === 'access' && typeof clientId === 'string' && audiences.includes(clientId);
  return [aud].flat().some((each) => audiences.includes(each));
}

/** Returns whether the token is wrong. Otherwise the key set is. */
const isTokenFault = (error: unknown): boolean =>
  error instanceof errors.JOSEError && !(error instanceof errors.JWKSInvalid);

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
