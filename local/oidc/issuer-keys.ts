import { generateKeyPair, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { StartFailure } from '../../terminal/start-failure.ts';
import { writeFileAtomically } from '../files.ts';

const keysFile = z.object({
  /** signs tokens: RSA, private */
  signingKey: z.looseObject({ kty: z.literal('RSA'), kid: z.string() }),
  cookieKey: z.string(),
  /** gives access to tokens of every demo user; `npm run token` reads it here */
  clientSecret: z.string(),
});
export type IssuerKeys = z.infer<typeof keysFile>;

/**
 * Reads the keys of the issuer, and creates them at the first start, so that tokens stay valid after a restart. Only
 * the owner can read the file.
 */
export async function ensureIssuerKeys(file: string): Promise<IssuerKeys> {
  if (!existsSync(file)) {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
    const text = () => randomBytes(32).toString('base64url');
    const signingKey = { ...privateKey.export({ format: 'jwk' }), kid: text().slice(0, 8), use: 'sig', alg: 'RS256' };
    mkdirSync(dirname(file), { recursive: true });
    writeFileAtomically(file, JSON.stringify({ signingKey, cookieKey: text(), clientSecret: text() }), 0o600);
  }
  return readIssuerKeys(file);
}

/** Returns the public key that verifies the tokens, as a JWK (RFC 7517). */
export const publicKeyOf = ({ signingKey: { kty, kid, n, e } }: IssuerKeys) => ({
  kty,
  kid,
  n,
  e,
  use: 'sig',
  alg: 'RS256',
});

/** @throws StartFailure */
export function readIssuerKeys(file: string): IssuerKeys {
  try {
    return keysFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new StartFailure(`${file} has no valid keys. Delete the file, then start again.`, { cause: error });
  }
}
