import {
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { type Anchor, parseAnchorKey } from '../domain/access-anchor.ts';
import type { Bucket } from './objects.ts';

interface CallOptions {
  readonly abortSignal?: AbortSignal;
}

/**
 * The anchors of the access log: an empty object for each entry, in a bucket under Object Lock (docs/adr/0061). Only the
 * Lambda `anchors` may write them.
 */
export interface AccessAnchorsStore {
  /** Writes an anchor. Has no effect if it exists. @param key core/domain/access-anchor.ts */
  put(key: string): Promise<void>;
  /** Returns the anchors of a patient in the order of their seq, even if somebody has hidden them by a delete marker. */
  read(patientRef: string, options?: CallOptions): Promise<readonly Anchor[]>;
  /** Returns all patients with anchors in pages, in order. @param after the last patient of an earlier page */
  patientRefs(after?: string): AsyncGenerator<readonly string[]>;
}

export function createAccessAnchorsStore({ s3, name }: Bucket): AccessAnchorsStore {
  async function* list(
    Prefix: string,
    { after, delimiter }: ListScope,
    options: CallOptions = {},
  ): AsyncGenerator<ListObjectVersionsCommandOutput> {
    let place: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = { KeyMarker: after };
    while (place !== undefined) {
      const command = new ListObjectVersionsCommand({ Bucket: name, Prefix, Delimiter: delimiter, ...place });
      const page: ListObjectVersionsCommandOutput = await s3.send(command, options);
      yield page;
      const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
      place = page.IsTruncated === true ? { KeyMarker, VersionIdMarker } : undefined;
    }
  }

  return {
    async put(Key) {
      const putOnce = async (): Promise<void> => {
        await s3.send(new PutObjectCommand({ Bucket: name, Key, Body: '', ContentLength: 0, IfNoneMatch: '*' }));
      };
      try {
        // S3 answers a conflict if another request writes the same key at this moment
        await putOnce().catch((error) =>
          isFault(error, 'ConditionalRequestConflict') ? putOnce() : Promise.reject(error),
        );
      } catch (error) {
        if (!isFault(error, 'PreconditionFailed')) throw error;
      }
    },

    async read(patientRef, options) {
      const anchors: Anchor[] = [];
      for await (const { Versions = [] } of list(`${patientRef}/`, {}, options))
        for (const { Key = '', LastModified } of Versions) {
          const anchor = parseAnchorKey(Key);
          if (anchor === undefined) continue;
          anchors.push({ ...anchor, ...(LastModified && { writtenAt: LastModified.getTime() / 1000 }) });
        }
      return anchors;
    },

    async *patientRefs(after) {
      const scope = { delimiter: '/', ...(after !== undefined && { after: `${after}0` }) }; // `0` follows `/`
      for await (const { CommonPrefixes = [] } of list('', scope))
        yield CommonPrefixes.map(({ Prefix = '' }) => Prefix.slice(0, -1));
    },
  };
}

const isFault = (error: unknown, name: string): boolean => error instanceof S3ServiceException && error.name === name;

interface ListScope {
  /** keys up to this one are left out */
  readonly after?: string;
  readonly delimiter?: string;
}
