import { hkdfSync } from 'node:crypto';
import { EncryptJWT, errors, type JWTPayload, jwtDecrypt } from 'jose';

/** `expired`: the token was valid; `invalid`: this API did not issue it, or issued it for another purpose */
export type TokenCipherFault = 'expired' | 'invalid';

export class TokenCipherError extends Error {
  override readonly name = 'TokenCipherError';
  readonly fault: TokenCipherFault;
  /** content of an expired token */
  readonly content?: JWTPayload;
  constructor(fault: TokenCipherFault, content?: JWTPayload, options?: ErrorOptions) {
    super(`token ${fault}`, options);
    this.fault = fault;
    if (content) this.content = content;
  }
}

/** Encrypts values that callers carry but can neither read nor change: document links and page tokens. */
export interface TokenCipher {
  /**
   * Encrypts content as a token.
   * @param purpose the token can be decrypted only with the same purpose
   * @param lifetimeSeconds default: no expiry
   */
  encrypt(purpose: string, content: JWTPayload, lifetimeSeconds?: number): Promise<string>;
  /** Decrypts a token. @throws TokenCipherError */
  decrypt(purpose: string, token: string): Promise<JWTPayload>;
}

/** @param secret PSEUDONYM_KEY, base64. The encryption key is derived from it, which saves a further secret */
export function createTokenCipher(secret: string): TokenCipher {
  const key = new Uint8Array(hkdfSync('sha256', Buffer.from(secret, 'base64'), '', 'epa-sync encrypted tokens', 32));
  return {
    async encrypt(purpose, content, lifetimeSeconds) {
      const token = new EncryptJWT(content).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).setAudience(purpose);
      if (lifetimeSeconds !== undefined) token.setExpirationTime(`${lifetimeSeconds}s`);
      return await token.encrypt(key);
    },
    async decrypt(purpose, token) {
      try {
        const { payload } = await jwtDecrypt(token, key, {
          audience: purpose,
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return payload;
      } catch (error) {
        if (error instanceof errors.JWTExpired) throw new TokenCipherError('expired', error.payload, { cause: error });
        throw new TokenCipherError('invalid', undefined, { cause: error });
      }
    },
  };
}
