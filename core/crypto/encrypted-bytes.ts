import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CodecError } from './key-wrapper.ts';

const algorithm = 'aes-256-gcm';
const ivBytes = 12; // recommended for GCM; random IVs are safe for 2^32 uses of a key
const tagBytes = 16;

/**
 * Encrypts with AES-256-GCM.
 * @param additionalData is authenticated, but not encrypted
 * @returns IV (12 bytes), ciphertext and tag (16 bytes)
 */
export function encryptBytes(key: Uint8Array, plain: Uint8Array, additionalData: Uint8Array): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(additionalData);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Decrypts what `encryptBytes` returned. @throws CodecError `tampered` */
export function decryptBytes(key: Uint8Array, encrypted: Uint8Array, additionalData: Uint8Array): Buffer {
  const tagAt = encrypted.length - tagBytes;
  if (tagAt < ivBytes) throw new CodecError('tampered');
  try {
    const decipher = createDecipheriv(algorithm, key, encrypted.subarray(0, ivBytes), { authTagLength: tagBytes })
      .setAAD(additionalData)
      .setAuthTag(encrypted.subarray(tagAt));
    return Buffer.concat([decipher.update(encrypted.subarray(ivBytes, tagAt)), decipher.final()]);
  } catch (cause) {
    throw new CodecError('tampered', { cause });
  }
}
