import { createInterface } from 'node:readline/promises';
import { Argument, InvalidArgumentError, Option } from 'commander';
import { dateOf } from '../../core/domain/fhir/values.ts';
import { paceMax } from '../../core/domain/gate.ts';
import { isKvnr, type Kvnr, normalKvnr } from '../../core/domain/kvnr.ts';
import { momentOf } from '../../core/domain/line-command.ts';
import type { PersonSearch } from '../../core/domain/name-search.ts';
import type { Api } from '../api-client.ts';
import { CommandError } from '../command-error.ts';

/** A reason of one word or more. The action gets the words as one text. */
export const reasonArgument = (name = 'reason...', description = 'why; quotes are optional'): Argument =>
  new Argument(`<${name}>`, description).argParser((word: string, words: string | undefined) =>
    words === undefined ? word : `${words} ${word}`,
  );

/** Reads the argument of a pace: requests a minute, or null for the default. @throws InvalidArgumentError */
export function paceOf(text: string): number | null {
  if (text === 'default') return null;
  const requestsPerMinute = Number(text);
  if (/^\d+$/.test(text) && requestsPerMinute >= 1 && requestsPerMinute <= paceMax) return requestsPerMinute;
  throw new InvalidArgumentError(`It is a whole number of requests a minute, 1 to ${paceMax}, or "default".`);
}
const unitMs = { min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The end of a timed pause. The action gets a moment in ISO 8601. */
export const pauseEndOption = (nowMs: () => number = Date.now): Option =>
  new Option('--until <end>', 'when the pause ends by itself: after 30min, 2h or 1d, or at a moment').argParser(
    (text: string) => {
      const [, count, unit] = /^(\d{1,6})(min|h|d)$/.exec(text) ?? [];
      if (count !== undefined)
        return new Date(nowMs() + Number(count) * unitMs[unit as keyof typeof unitMs]).toISOString();
      const moment = momentOf(text);
      if (moment !== undefined) return moment;
      throw new InvalidArgumentError(
        'Use 30min, 2h, 1d, or ISO 8601 with an offset, such as 2026-12-01T18:00:00+01:00.',
      );
    },
  );

/** A patient by pseudonym or KVNR. See `readPatient`. */
export const patientArgument = (): Argument =>
  new Argument(
    '[pseudonym]',
    'pseudonym (32 hex digits) or KVNR; if left out, asks for the KVNR or reads it from stdin',
  );

export type NamedPatient = { readonly kvnr: Kvnr } | { readonly patientRef: string };

/**
 * Reads which patient is meant. Without an argument, asks for it or reads a line from stdin: an argument would stay in
 * the history of the shell.
 * @throws CommandError `usage` if it is neither a KVNR nor a pseudonym
 */
export async function readPatient(argument: string | undefined): Promise<NamedPatient> {
  const named = argument ?? (await readLine('KVNR: '));
  if (/^[0-9a-f]{32}$/.test(named)) return { patientRef: named };
  const kvnr = normalKvnr(named);
  if (isKvnr(kvnr)) return { kvnr };
  throw new CommandError(
    'usage',
    'a KVNR (a letter, eight digits and a check digit) or a pseudonym (32 hex digits) is needed',
  );
}

/**
 * Asks for the fields of a search, or reads a line from stdin for each: birth date, family name, given name. Leaves out an empty
 * name. An argument would stay in the history of the shell.
 * @throws CommandError `usage` if there is no date, or no name
 */
export async function readSearch(): Promise<PersonSearch> {
  const [typed, familyName, givenName] = await readLines([
    'Birth date (YYYY-MM-DD, or YYYY-MM or YYYY if the insurer knows no more): ',
    'Family name, or its beginning: ',
    'Given name, or its beginning: ',
  ]);
  const birthDate = dateOf(typed);
  if (birthDate === undefined)
    throw new CommandError(
      'usage',
      'a birth date is needed: YYYY-MM-DD, or YYYY-MM or YYYY if the insurer knows no more',
    );
  if (!familyName && !givenName) throw new CommandError('usage', 'a family name or a given name is needed, or both');
  return { birthDate, ...(familyName && { familyName }), ...(givenName && { givenName }) };
}

const readLine = async (prompt: string): Promise<string> => (await readLines([prompt]))[0] ?? '';

/** Asks for a line with each prompt, or reads as many from stdin. Returns fewer if stdin ends before. */
async function readLines(prompts: readonly string[]): Promise<string[]> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const read: string[] = [];
  const ask = (): void => void (process.stdin.isTTY && process.stderr.write(prompts[read.length] ?? ''));
  ask();
  for await (const line of lines) {
    if (read.push(line.trim()) === prompts.length) break;
    ask();
  }
  lines.close();
  return read;
}

/** Returns the pseudonym of a patient. Looks it up if the KVNR is given. @throws ApiError */
export async function lookUpPatientRef(patient: NamedPatient, api: Api): Promise<string> {
  if ('patientRef' in patient) return patient.patientRef;
  return (await api.post<{ patientRef: string }>('/patients/lookup', patient)).patientRef;
}
