import { createHash } from 'node:crypto';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { PayloadReference } from '../contract/payload-reference.ts';

/** The bucket and its client. */
export interface Bucket {
  readonly s3: S3Client;
  readonly name: string;
}

/** Maximum of S3 for one delete request. */
const deletedAtOnce = 1_000;

export type PayloadFault = 'missing' | 'corrupt';

export class PayloadError extends Error {
  override readonly name = 'PayloadError';
  readonly fault: PayloadFault;
  constructor(fault: PayloadFault, options?: ErrorOptions) {
    super(`payload ${fault}`, options);
    this.fault = fault;
  }
}

/** Headers with which S3 answers an object. */
export interface ObjectHeaders {
  readonly contentType: string;
  readonly contentDisposition: string;
}

/**
 * Stores bytes under `{prefix}{sha256}`. The same bytes become the same object.
 * @param headers also in the key, because the same bytes may have another name: `{prefix}{sha256 of JSON [sha256, headers]}`.
 *   One hash over both, because logs show keys, and a guessed name must not be confirmed by the key. Such an object tells its
 *   SHA-256, too
 */
export async function putObject(
  { s3, name }: Bucket,
  prefix: string,
  body: Uint8Array,
  headers?: ObjectHeaders,
): Promise<PayloadReference> {
  const digest = createHash('sha256').update(body).digest();
  const sha256 = digest.toString('hex');
  const both =
    headers &&
    createHash('sha256')
      .update(JSON.stringify([sha256, headers]))
      .digest('hex');
  const key = `${prefix}${both ?? sha256}`;
  const described = headers && {
    ContentType: headers.contentType,
    ContentDisposition: headers.contentDisposition,
    Metadata: { 'repr-digest': `sha-256=:${digest.toString('base64')}:` }, // RFC 9530, 3
  };
  await s3.send(new PutObjectCommand({ Bucket: name, Key: key, Body: body, ...described }));
  return { key, sizeBytes: body.byteLength, sha256 };
}

/**
 * Reads an object and verifies it.
 * @throws PayloadError `missing`; `corrupt` if size or SHA-256 differ from the reference
 */
export async function getObject({ s3, name }: Bucket, { key, sizeBytes, sha256 }: PayloadReference): Promise<Buffer> {
  const bytes = await s3
    .send(new GetObjectCommand({ Bucket: name, Key: key }))
    .then(async ({ Body }) => Buffer.from((await Body?.transformToByteArray()) ?? []))
    .catch((error: unknown) => {
      if (error instanceof NoSuchKey) throw new PayloadError('missing', { cause: error });
      throw error;
    });
  if (bytes.length !== sizeBytes) throw new PayloadError('corrupt');
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw new PayloadError('corrupt');
  return bytes;
}

export async function hasObject({ s3, name }: Bucket, key: string): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket: name, Key: key }));
    return true;
  } catch (error) {
    if (error instanceof NotFound) return false;
    throw error;
  }
}

/** Signs with the client of a bucket, or with one of its own if the reader has another origin of S3. */
async function withSigner<Signed>(
  s3: S3Client,
  origin: string | undefined,
  sign: (signer: S3Client) => Promise<Signed>,
): Promise<Signed> {
  if (origin === undefined) return await sign(s3);
  const { region, credentials } = s3.config;
  const signer = new S3Client({ region, credentials, endpoint: origin, forcePathStyle: true });
  try {
    return await sign(signer);
  } finally {
    signer.destroy();
  }
}

/**
 * Returns a presigned URL of an object. Everybody who has the URL can read the object, so it must not be logged.
 * @param mediaType of the answer, which is then an attachment without a name; default: the headers that the object was stored with.
 *   A name would stand in the URL
 * @param origin of S3 for the reader, if it is not that of the client: the host is part of the signature
 */
export async function linkToObject(
  { s3, name }: Bucket,
  { key }: Pick<PayloadReference, 'key'>,
  lifetimeSeconds: number,
  mediaType?: string,
  origin?: string,
): Promise<string> {
  const command = new GetObjectCommand({
    Bucket: name,
    Key: key,
    ...(mediaType !== undefined && { ResponseContentType: mediaType, ResponseContentDisposition: 'attachment' }),
    ResponseCacheControl: 'no-store',
  });
  return await withSigner(
    s3,
    origin,
    async (signer) => await getSignedUrl(signer, command, { expiresIn: lifetimeSeconds }),
  );
}

/**
 * Returns presigned URLs of files to download. Everybody who has one can read the file, so they must not be logged.
 * @param files the key of each, its media type, and the name under which a browser saves it
 * @param origin of S3 for the reader, if it is not that of the client: the host is part of the signature
 */
export async function linksToFiles(
  { s3, name }: Bucket,
  files: readonly { readonly key: string; readonly mediaType: string; readonly fileName: string }[],
  lifetimeSeconds: number,
  origin?: string,
): Promise<string[]> {
  return await withSigner(s3, origin, async (signer) => {
    const links = files.map(async ({ key, mediaType, fileName }) => {
      const command = new GetObjectCommand({
        Bucket: name,
        Key: key,
        ResponseContentType: mediaType,
        ResponseContentDisposition: `attachment; filename="${fileName}"`,
        ResponseCacheControl: 'no-store',
      });
      return await getSignedUrl(signer, command, { expiresIn: lifetimeSeconds });
    });
    return await Promise.all(links);
  });
}

/** Lists the keys under a prefix, in order. */
export async function* listKeys({ s3, name }: Bucket, prefix: string): AsyncGenerator<string> {
  for await (const { Contents } of paginateListObjectsV2({ client: s3 }, { Bucket: name, Prefix: prefix })) {
    for (const { Key } of Contents ?? []) if (Key !== undefined) yield Key;
  }
}

/** Deletes an object. One that does not exist counts as deleted. A DELETE needs no body, and S3 does not bill it. */
export async function deleteObject({ s3, name }: Bucket, key: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: name, Key: key }));
}

/** Deletes objects. Objects that do not exist count as deleted. @throws Error if S3 does not delete one */
export async function deleteObjects({ s3, name }: Bucket, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += deletedAtOnce) {
    const Objects = keys.slice(start, start + deletedAtOnce).map((Key) => ({ Key }));
    const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects, Quiet: true } }));
    const [first] = Errors ?? [];
    if (first) throw new Error(`S3 has not deleted some objects: ${first.Code}`);
  }
}

/** Deletes all objects under a prefix. */
export async function deletePrefix(bucket: Bucket, prefix: string): Promise<void> {
  const keys: string[] = [];
  for await (const key of listKeys(bucket, prefix)) keys.push(key);
  await deleteObjects(bucket, keys);
}
