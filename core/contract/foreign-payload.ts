/** The part of Temporal's Payload that is needed here. */
interface MarkedPayload {
  readonly metadata?: Record<string, Uint8Array> | null;
}

/**
 * A payload that epa-sync has not written, as workflows see it. For the payload converter it is `undefined`, which it can
 * read at every place, also where an error would block the workflow.
 */
export const foreignPayload = (): MarkedPayload => ({
  metadata: { encoding: asciiOf('binary/null'), [mark]: asciiOf('true') },
});

export const isForeign = ({ metadata }: MarkedPayload): boolean => metadata?.[mark] !== undefined;

/** Marks a payload that is not bound to a place, as those of 0.2.0. The payload converter does not look at the mark. */
export const markUnbound = <P extends MarkedPayload>(payload: P): P => ({
  ...payload,
  metadata: { ...payload.metadata, [unboundMark]: asciiOf('true') },
});

export const isUnbound = ({ metadata }: MarkedPayload): boolean => metadata?.[unboundMark] !== undefined;

/** What the encrypted payload of a failure has, together with its message. */
export interface EncodedAttributes {
  readonly stack_trace: string;
  /** of an ApplicationFailure; absent if 0.2.0 has made the failure */
  readonly type?: string;
}

const mark = 'foreign';
const unboundMark = 'unbound';
const asciiOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
