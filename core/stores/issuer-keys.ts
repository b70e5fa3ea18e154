import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Bucket } from './objects.ts';

/** The two issuers: whose tokens the API accepts, and whose tokens the Temporal UI passes to the codec endpoint. */
export type IssuerUse = 'api' | 'codec';
export const issuerUses: readonly IssuerUse[] = ['api', 'codec'];

/** Returns the key of the object with the last key set of an issuer. Fixed, so that roles can name the object. */
export const issuerKeysObject = (use: IssuerUse): string => `issuer-keys/${use}`;

/** Somebody waits for the answer of the API, so a slow bucket must not hold it up. */
const writeMs = 1_000;

/** The objects `issuer-keys/{use}` hold the last key set of an issuer, encrypted by the API (ADR 0062). */
export interface IssuerKeysStore {
  /** Replaces the stored text. @throws Error if S3 does not answer within a second */
  put(use: IssuerUse, text: string): Promise<void>;
  /** @throws Error also if nothing is stored */
  get(use: IssuerUse): Promise<string>;
}

export const createIssuerKeysStore = ({ s3, name }: Bucket): IssuerKeysStore => ({
  async put(use, text) {
    await s3.send(new PutObjectCommand({ Bucket: name, Key: issuerKeysObject(use), Body: text }), {
      abortSignal: AbortSignal.timeout(writeMs),
    });
  },
  async get(use) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key: issuerKeysObject(use) }));
    return (await Body?.transformToString()) ?? '';
  },
});
