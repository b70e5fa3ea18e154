/**
 * What is kept of an access entry outside the table. It is the key of an empty object, so a list of keys can be compared
 * with the entries. A second write of the same entry changes nothing (docs/adr/0061).
 */
export interface Anchor {
  readonly seq: number;
  /** epoch second at which the entry expires */
  readonly expiresAt: number;
  readonly hash: string;
  /** epoch second at which the anchor was written; absent before that */
  readonly writtenAt?: number;
}

const seqDigits = 12; // keys are listed in the order of their text

export const anchorKey = (patientRef: string, { seq, expiresAt, hash }: Anchor): string =>
  `${patientRef}/${String(seq).padStart(seqDigits, '0')}-${expiresAt}-${hash}`;

const key = /^[0-9a-f]{32}\/(\d{12})-(\d{1,12})-([0-9a-f]{64})$/;

/** Returns the anchor of a key; undefined if the key is none. */
export function parseAnchorKey(text: string): Anchor | undefined {
  const [, seq, expiresAt, hash = ''] = key.exec(text) ?? [];
  return seq === undefined ? undefined : { seq: Number(seq), expiresAt: Number(expiresAt), hash };
}

/** A change of an item of AuditLog, as the stream of the table reports it. */
export interface StreamRecord {
  readonly eventName?: 'INSERT' | 'MODIFY' | 'REMOVE' | undefined;
  /** set if DynamoDB itself has deleted an expired item */
  readonly userIdentity?: { readonly principalId?: string } | undefined;
  readonly dynamodb?:
    | {
        readonly ApproximateCreationDateTime?: number | undefined;
        readonly NewImage?: Readonly<Record<string, { readonly S?: string; readonly N?: string }>> | undefined;
      }
    | undefined;
}

/** Returns the key of the anchor of what was written; undefined if it is no entry, such as a checkpoint of 0.2.0. */
export function anchorKeyOf({ dynamodb: { NewImage: item } = {} }: StreamRecord): string | undefined {
  const patientRef = item?.['patientRef']?.S;
  const [seq, expiresAt, hash] = [item?.['seq']?.N, item?.['expiresAt']?.N, item?.['hash']?.S];
  if (patientRef === undefined || hash === undefined || !Number.isSafeInteger(Number(seq))) return undefined;
  const written = anchorKey(patientRef, { seq: Number(seq), expiresAt: Number(expiresAt), hash });
  return key.test(written) ? written : undefined;
}

/** Returns whether a change is a manipulation: epa-sync never changes an item, or deletes one before it expires. */
export const isTampering = ({ eventName, userIdentity }: StreamRecord): boolean =>
  eventName === 'MODIFY' || (eventName === 'REMOVE' && userIdentity?.principalId !== 'dynamodb.amazonaws.com');
