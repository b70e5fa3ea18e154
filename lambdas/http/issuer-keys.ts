import { createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { IssuerKeysStore, IssuerUse } from '../../core/stores/issuer-keys.ts';
import { Problem } from './problems.ts';
import type { TokenCipher } from './token-cipher.ts';

/** How long an issuer may take for discovery and keys together. */
const issuerMs = 3_000;
/** A container fetches the keys again after this time, or when a token names a new key. */
const freshMs = 10 * 60_000;
/** How long the last key set of an issuer that is away is used. A key that was revoked meanwhile is accepted so long. */
const keptKeysMaxHours = 12;
/** The last container that reads the kept key set uses it for `freshMs` more. */
const keptSeconds = keptKeysMaxHours * 3_600 - freshMs / 1_000;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

const ofSignatures = {
  use: z.literal('sig').nullish(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes('verify'))
    .nullish(),
};
const part = z.string().min(1);
/** A key that can verify a token: RS256 or ES256, as in tokens.ts. */
const usableKey = z.union([
  z.object({ ...ofSignatures, kty: z.literal('RSA'), alg: z.literal('RS256').nullish(), n: part, e: part }),
  z.object({
    ...ofSignatures,
    ...{ kty: z.literal('EC'), alg: z.literal('ES256').nullish(), crv: z.literal('P-256'), x: part, y: part },
  }),
]);
/** Other keys may be there. A set without a usable one must not replace the last set: then every token would be refused. */
const keySet = z.object({
  keys: z
    .array(z.looseObject({ kty: z.string() }))
    .refine((keys) => keys.some((key) => usableKey.safeParse(key).success), 'no key that can verify a token'),
});

/** What the keys of an issuer need. */
export interface IssuerKeysDeps {
  readonly store: IssuerKeysStore;
  readonly cipher: TokenCipher;
  /** told of each fetch, and of a key set that could not be kept, with the error of a failure */
  readonly report: (what: 'fetched' | 'not fetched' | 'not kept', error?: unknown) => void;
}

/**
 * Returns the keys of an issuer. They are fetched by OpenID Connect Discovery, and each fetched set is kept in the
 * bucket. If a fetch fails, the kept set is used for up to 12 hours, also in a container that has just started (ADR 0062).
 * A set without a usable key counts as a failure.
 * The kept set is encrypted for its issuer: access to the bucket alone is not enough to add a key.
 * @throws Problem `unavailable` if the issuer is away and no set of the last 12 hours is there
 */
export function issuerKeysOf(
  issuer: string,
  use: IssuerUse,
  { store, cipher, report }: IssuerKeysDeps,
): JWTVerifyGetKey {
  const purpose = `issuer-keys ${issuer}`;
  const keep = async (found: JSONWebKeySet): Promise<void> => {
    try {
      await store.put(use, await cipher.encrypt(purpose, { ...found }, keptSeconds));
    } catch (error) {
      report('not kept', error); // the keys are valid, so the request goes on
    }
  };
  const kept = async (): Promise<JSONWebKeySet> =>
    keySet.parse(await cipher.decrypt(purpose, await store.get(use))) as JSONWebKeySet;
  const load = async (): Promise<JSONWebKeySet> => {
    try {
      const found = await fetchKeySet(issuer);
      report('fetched');
      await keep(found);
      return found;
    } catch (error) {
      report('not fetched', error);
      return await kept().catch(() => {
        const detail = `The OIDC issuer does not answer, and none of its keys of the last ${keptKeysMaxHours} hours is kept.`;
        throw new Problem('unavailable', { detail }, { cause: error });
      });
    }
  };
  // jose keeps the set in memory, lets concurrent requests share a fetch, and limits fetches for unknown keys
  return createRemoteJWKSet(new URL(issuer), {
    cacheMaxAge: freshMs,
    [customFetch]: async () => Response.json(await load()),
  });
}

async function fetchKeySet(issuer: string): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(issuerMs);
  const read = async (address: string): Promise<unknown> => {
    const response = await fetch(address, { signal, redirect: 'error' });
    if (!response.ok) throw new Error(`the issuer answers ${response.status}`);
    return await response.json();
  };
  const found = discovery.parse(await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`));
  if (new URL(issuer).protocol === 'https:' && new URL(found.jwks_uri).protocol !== 'https:')
    throw new Error('the OIDC discovery names keys without https');
  if (found.issuer !== issuer) throw new Error('the OIDC discovery names another issuer than OIDC_ISSUER');
  return keySet.parse(await read(found.jwks_uri)) as JSONWebKeySet;
}
