/** The number of an insured person (Krankenversichertennummer) with a valid check digit. Personal data. */
export type Kvnr = string & { readonly __brand: 'Kvnr' };

/**
 * Returns whether a text is a KVNR: a letter, eight digits and a check digit. The letter counts as two digits (A = 01 …
 * Z = 26). The ten digits are weighted 1,2,1,2,… and the digits of the products are summed. The sum modulo 10 is the
 * check digit (insurer-api.yaml, Kvnr; § 290 SGB V).
 */
export function isKvnr(text: unknown): text is Kvnr {
  if (typeof text !== 'string' || !/^[A-Z][0-9]{9}$/.test(text)) return false;
  const letter = String(text.charCodeAt(0) - 64).padStart(2, '0');
  const digits = [...letter, ...text.slice(1, 9)].map(Number);
  const sum = digits.reduce((total, digit, index) => {
    const product = digit * (index % 2 === 0 ? 1 : 2);
    return total + Math.floor(product / 10) + (product % 10);
  }, 0);
  return sum % 10 === Number(text[9]);
}

/** Longest text that is read as a KVNR, with blanks and invisible characters. */
export const kvnrTextMax = 50;

/**
 * Returns a text as a KVNR is written: in upper case, without blanks and invisible characters (soft hyphens, zero-width spaces),
 * as `a 123 456 780` is `A123456780`. A text that is no KVNR stays none.
 */
export const normalKvnr = (text: string): string =>
  text.length <= kvnrTextMax ? text.replace(/[\s\p{Cf}]+/gu, '').toUpperCase() : text;
