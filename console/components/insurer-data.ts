import { isRawNumber, printLossless } from '../../core/json/lossless.ts';

/** An object that the insurer sent: it may have any fields, of any type. */
export type InsurerData = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is InsurerData =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);

export const objectOf = (value: unknown): InsurerData => (isObject(value) ? value : {});

/** Returns a text or a number as text; undefined for any other value, and for the empty text: there is nothing to show. */
export function textOf(value: unknown): string | undefined {
  if (isRawNumber(value)) return value.rawJSON;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * Takes the named fields of an object that have a text. `others` is the rest, as the insurer sent it: fields of another
 * type, and additional ones. It is undefined if nothing is left, and the value itself if that is not an object.
 */
export function takeTexts<const Name extends string>(
  value: unknown,
  names: readonly Name[],
): { readonly texts: Readonly<Partial<Record<Name, string>>>; readonly others: unknown } {
  const texts: Partial<Record<Name, string>> = {};
  if (!isObject(value)) return { texts, others: value };
  for (const name of names) {
    const text = textOf(value[name]);
    if (text !== undefined) texts[name] = text;
  }
  const others = Object.entries(value).filter(([name]) => !Object.hasOwn(texts, name));
  return { texts, others: others.length === 0 ? undefined : Object.fromEntries(others) };
}

/**
 * Takes the elements of a list that are objects with a field or more. `others` are the other elements, as the insurer sent
 * them. It is undefined if there are none, and the value itself if that is not a list.
 */
export function takeObjects(value: unknown): { readonly objects: readonly InsurerData[]; readonly others: unknown } {
  if (!Array.isArray(value)) return { objects: [], others: value };
  const isTaken = (element: unknown): element is InsurerData => Object.keys(objectOf(element)).length > 0;
  const others = value.filter((element: unknown) => !isTaken(element));
  return { objects: value.filter(isTaken), others: others.length === 0 ? undefined : others };
}

/** Maximum length of the shown text of a field, in characters: a field may have megabytes. */
const fieldCharactersMax = 4_000;
const shownFieldsMax = 200;

/**
 * Returns fields as indented JSON, or undefined if there are none. A long field is cut by itself, so that it hides no other:
 * the text is for people, and then no longer JSON.
 */
export function fieldsText(fields: InsurerData): string | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return undefined;
  const texts = entries.slice(0, shownFieldsMax).map(([name, value]) => {
    const text = printLossless({ [name]: value }, 2).slice('{\n'.length, -'\n}'.length);
    return text.length > fieldCharactersMax ? `${text.slice(0, fieldCharactersMax)} …` : text;
  });
  return `{\n${texts.join(',\n')}${entries.length > shownFieldsMax ? ',\n  …' : ''}\n}`;
}
