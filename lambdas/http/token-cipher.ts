import { hkdfSync } from 'node:crypto';
import { EncryptJWT, errors, type JWTPayload, jwtDecrypt } from 'jose';

/** `expired`: it was ours; `invalid`: it is not, or it was made for something else */
export type TokenCipherFault = 'expired' | 'invalid';

export class TokenCipherError extends Error {
  override readonly name = 'TokenCipherError';
  readonly fault: TokenCipherFault;
  /** what an expired one held */
  readonly content?: JWTPayload;
  constructor(fault: TokenCipherFault, content?: JWTPayload, options?: ErrorOptions) {
    super(`token ${fault}`, options);
    this.fault = fault;
    if (content) this.content = content;
  }
}

/** Values that callers carry for us and can neither read nor change: links, and where a page ends. */
export interface TokenCipher {
  /** @param purpose what it is for: it opens for nothing else. @param lifetimeSeconds for ever when absent */
  encrypt(purpose: string, content: JWTPayload, lifetimeSeconds?: number): Promise<string>;
  /** @throws TokenCipherError */
  decrypt(purpose: string, token: string): Promise<JWTPayload>;
}

/** @param secret PSEUDONYM_KEY, base64: the sealing key is derived from it, so that there is one secret less to keep */
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
