import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { CodecError, type CodecFault, type KeyWrapper, keyPurpose } from './key-wrapper.ts';

/** What a call to KMS has to say it is for; permissions ask for it as well (infra/constructs/permissions.ts). */
export const payloadKeyContext = { purpose: keyPurpose } as const;

const keyArn = /^arn:aws[\w-]*:kms:[\w-]+:\d{12}:key\/[\w-]+$/;

/**
 * Wraps data keys with a key of KMS, which never leaves it. What a key has wrapped names it by its ARN, so that after a
 * change of keys KMS is asked for the one that it was; versions of one key (yearly rotation) KMS tells apart itself.
 * @param keyId PAYLOAD_KMS_KEY: the ARN of the key that wraps
 */
export const createKmsKeyWrapper = (kms: KMSClient, keyId: string): KeyWrapper => ({
  async createDataKey() {
    const command = new GenerateDataKeyCommand({
      KeyId: keyId,
      KeySpec: 'AES_256',
      EncryptionContext: payloadKeyContext,
    });
    const { Plaintext, CiphertextBlob } = await kms.send(command).catch((cause: unknown) => {
      throw new CodecError('unavailable', { cause });
    });
    if (!Plaintext || !CiphertextBlob) throw new CodecError('unavailable');
    return { key: Buffer.from(Plaintext), wrappedKey: Buffer.from(CiphertextBlob), keyId };
  },

  async unwrap(id, wrappedKey) {
    if (!keyArn.test(id)) throw new CodecError('unknown-key');
    const command = new DecryptCommand({
      KeyId: id,
      CiphertextBlob: wrappedKey,
      EncryptionContext: payloadKeyContext,
    });
    const { Plaintext } = await kms.send(command).catch((cause: unknown) => {
      throw new CodecError(faultOf(cause), { cause });
    });
    if (!Plaintext) throw new CodecError('unavailable');
    return Buffer.from(Plaintext);
  },
});

/** What KMS says of a key that is not ours to use, and of a ciphertext that no key of that name has made so. */
const faults: Readonly<Record<string, CodecFault>> = {
  NotFoundException: 'unknown-key',
  AccessDeniedException: 'unknown-key',
  InvalidArnException: 'unknown-key',
  IncorrectKeyException: 'tampered',
  InvalidCiphertextException: 'tampered',
  ValidationException: 'tampered',
};

const faultOf = (cause: unknown): CodecFault => (cause instanceof Error && faults[cause.name]) || 'unavailable';
