import { createInterface } from 'node:readline/promises';
import { Argument } from 'commander';
import { isKvnr, type Kvnr, normalKvnr } from '../../core/domain/kvnr.ts';
import type { Api } from '../api-client.ts';
import { CommandError } from '../command-error.ts';

/** A reason of one word or more. The action gets the words as one text. */
export const reasonArgument = (name = 'reason...', description = 'why; quotes are optional'): Argument =>
  new Argument(`<${name}>`, description).argParser((word: string, words: string | undefined) =>
    words === undefined ? word : `${words} ${word}`,
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

async function readLine(prompt: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  if (process.stdin.isTTY) process.stderr.write(prompt);
  for await (const line of lines) {
    lines.close();
    return line.trim();
  }
  return '';
}

/** Returns the pseudonym of a patient. Looks it up if the KVNR is given. @throws ApiError */
export async function lookUpPatientRef(patient: NamedPatient, api: Api): Promise<string> {
  if ('patientRef' in patient) return patient.patientRef;
  return (await api.post<{ patientRef: string }>('/patients/lookup', patient)).patientRef;
}
