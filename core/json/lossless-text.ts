/**
 * Does what `JSON.rawJSON` and source access do, for browsers without them (Safari before 18.4, Firefox before 135). Slower: each
 * text is parsed and printed twice.
 */

/** A number whose text is kept. */
export class RawNumberText {
  readonly rawJSON: string;
  constructor(rawJSON: string) {
    this.rawJSON = rawJSON;
  }
}

/** Returns a word that no text of a value contains. */
function unusedWord(printed: string): string {
  let word = 'raw';
  while (printed.includes(word)) word += 'w';
  return word;
}

const anyNumber = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses JSON, with a RawNumberText for each number that JavaScript would print differently. @throws SyntaxError */
export function parseWithoutSource(text: string): unknown {
  const word = unusedWord(JSON.stringify(JSON.parse(text))); // the text may have escaped letters
  const mark = (number: string): string => (String(Number(number)) === number ? number : `"${word}${number}"`);
  let marked = '';
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const start = quote === -1 ? text.length : quote;
    const end = quote === -1 ? text.length : endOfString(text, quote);
    marked += text.slice(at, start).replace(anyNumber, mark) + text.slice(start, end);
    at = end;
  }
  return JSON.parse(marked, (_key, value) =>
    typeof value === 'string' && value.startsWith(word) ? new RawNumberText(value.slice(word.length)) : value,
  );
}

/** Returns the index after a string. @param start index of its first quote */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
}

/** Prints a result of `parseWithoutSource`. @param indent as of JSON.stringify */
export function printWithoutSource(value: unknown, indent?: number): string {
  const word = unusedWord(JSON.stringify(value));
  const print = (_key: string, held: unknown) => (held instanceof RawNumberText ? word + held.rawJSON : held);
  return JSON.stringify(value, print, indent).replace(new RegExp(`"${word}([^"]*)"`, 'g'), '$1');
}
