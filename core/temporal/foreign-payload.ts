import type { Payload } from '@temporalio/common';

/**
 * A payload that epa-sync has not written, as workflows see it. For the payload converter it is `undefined`, which it can
 * read at every place, also where an error would block the workflow. Without imports, because workflows use it.
 */
export const foreignPayload = (): Payload => ({
  metadata: { encoding: asciiOf('binary/null'), [mark]: asciiOf('true') },
});

export const isForeign = ({ metadata }: Payload): boolean => metadata?.[mark] !== undefined;

const mark = 'foreign';
const asciiOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
