import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { CodecError, type CodecFault, type KeyWrapper, keyPurpose } from './key-wrapper.ts';

/** The encryption context of each call to KMS. The permissions require it (infra/constructs/permissions.ts). */
export const payloadKeyContext = { purpose: keyPurpose } as const;

const keyArn = /^(?<place>arn:aws[\w-]*:kms:[\w-]+):\d{12}:key\/[\w-]+$/;
/** Returns partition and region of a key: this process can use no key of another one. Undefined: it is no ARN of a key. */
const placeOf = (arn: string): string | undefined => keyArn.exec(arn)?.groups?.['place'];

/**
 * Wraps data keys with a KMS key, which never leaves KMS. The ARN of the wrapping key is stored with each data key, so
 * old data keys can be unwrapped after a change of keys. KMS itself tells the versions of one key apart (yearly
 * rotation).
 * @param keyId PAYLOAD_KMS_KEY: the ARN of the wrapping key
 * @param oldKeyIds OLD_PAYLOAD_KEY_ARNS: the keys that wrapped earlier, and unwrap
 */
export const createKmsKeyWrapper = (kms: KMSClient, keyId: string, oldKeyIds: readonly string[] = []): KeyWrapper => ({
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
    const place = placeOf(id);
    if (place === undefined || place !== placeOf(keyId)) throw new CodecError('tampered'); // no rotation makes it ours
    const command = new DecryptCommand({
      KeyId: id,
      CiphertextBlob: wrappedKey,
      EncryptionContext: payloadKeyContext,
    });
    const { Plaintext } = await kms.send(command).catch((cause: unknown) => {
      const fault = faultOf(cause);
      // the deployment names this key, so a permission is missing at the moment, or the key has been deleted: both can be undone
      const isNamed = id === keyId || oldKeyIds.includes(id);
      throw new CodecError(fault === 'unknown-key' && isNamed ? 'unavailable' : fault, { cause });
    });
    if (!Plaintext) throw new CodecError('unavailable');
    return Buffer.from(Plaintext);
  },
});

/** The errors of KMS for a key that we may not use, and for a ciphertext that the named key did not create. */
const faults: Readonly<Record<string, CodecFault>> = {
  NotFoundException: 'unknown-key',
  AccessDeniedException: 'unknown-key',
  InvalidArnException: 'unknown-key',
  IncorrectKeyException: 'tampered',
  InvalidCiphertextException: 'tampered',
  ValidationException: 'tampered',
};

const faultOf = (cause: unknown): CodecFault => (cause instanceof Error && faults[cause.name]) || 'unavailable';
