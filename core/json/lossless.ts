/**
 * JSON in and out without losing a digit: a number that JavaScript would print differently (`12345678901234567890`,
 * `1.0`, `-0`) stays as it was written. Node has both halves of it (TC39 "JSON.parse source text access"); TypeScript
 * does not know them yet.
 */
interface LosslessJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}
const json = JSON as unknown as LosslessJson;

/** A number kept as it was written. */
export interface RawNumber {
  readonly rawJSON: string;
}

export const isRawNumber = (value: unknown): value is RawNumber => json.isRawJSON(value);

/**
 * Finds a number that JavaScript may print differently: one with a point or an exponent, of 16 digits or more, or -0. A
 * number stands at the start, or after one of these signs. Finds some in strings too, which costs time only.
 */
const maybeChanged = /(?:^|[[:,])\s*-?(?:\d+[.eE]|\d{16}|(?<=-)0)/;

/**
 * Like JSON.parse, but a number whose text JavaScript would change is a RawNumber.
 * @throws SyntaxError when it is no JSON (its message quotes the text: do not log it); RangeError when it is nested
 *   some thousands deep
 */
export function parseLossless(text: string): unknown {
  if (!maybeChanged.test(text)) return JSON.parse(text); // two to four times faster
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? json.rawJSON(source) : value,
  );
}

/**
 * The compact JSON text of what `parseLossless` gave: every field, numbers as written, lone surrogates escaped. What it
 * does not keep: whitespace, how a character was escaped, and of two fields with one name the first.
 */
export const printLossless = (value: unknown): string => JSON.stringify(value);
