import { type LineFault, lineFaults } from '../../core/domain/line.ts';
import type { Texts } from './de.ts';

const isLineFault = (code: string): code is LineFault => (lineFaults as readonly string[]).includes(code);

/**
 * Why something did not come about, in the reader's words: an issue's reason or a sync's error, which are fixed words, or
 * the problems of an entry, `kvnr: check digit; birthDate: missing`. What nobody foresaw is named as it stands.
 */
export function wordsForReason(reason: string, { reasons, run }: Texts): string {
  const word = reasons.words[reason];
  if (word !== undefined) return word;
  if (isLineFault(reason)) return reasons.exhausted(run.faultNames[reason]); // what a sync ends with is its last try's
  const problems = reason.split('; ').map((problem) => wordsForProblem(problem, reasons));
  return problems.every((problem) => problem !== undefined) ? problems.join('; ') : reasons.unforeseen(reason);
}

function wordsForProblem(problem: string, { fields, faults, more }: Texts['reasons']): string | undefined {
  const [, others] = /^and (\d+) more$/.exec(problem) ?? [];
  if (others !== undefined) return more(others);
  const [path = '', fault = ''] = problem.split(': ');
  const field = fields[path];
  const words = faults[fault.replace(/^(not of type) \w+$/, '$1')];
  return field === undefined || words === undefined ? undefined : `${field}: ${words}`;
}
