import { type LineFault, lineFaults } from '../../core/domain/line.ts';
import type { Messages } from './de.ts';

const isLineFault = (code: string): code is LineFault => (lineFaults as readonly string[]).includes(code);

/**
 * Why something did not come about, in the reader's words: an issue's reason or a sync's error, which are fixed words, or
 * the problems of an entry, `kvnr: check digit; birthDate: missing`. What nobody foresaw is named as it stands.
 */
export function describeReason(reason: string, { reasons, run }: Messages): string {
  const word = reasons.codes[reason];
  if (word !== undefined) return word;
  if (isLineFault(reason)) return reasons.exhausted(run.faultKinds[reason]); // what a sync ends with is its last try's
  const problems = reason.split('; ').map((problem) => describeProblem(problem, reasons));
  return problems.every((problem) => problem !== undefined) ? problems.join('; ') : reasons.unexpected(reason);
}

function describeProblem(problem: string, { fields, faults, more }: Messages['reasons']): string | undefined {
  const [, others] = /^and (\d+) more$/.exec(problem) ?? [];
  if (others !== undefined) return more(others);
  const [path = '', fault = ''] = problem.split(': ');
  const field = fields[path];
  const words = faults[fault.replace(/^(not of type) \w+$/, '$1')];
  return field === undefined || words === undefined ? undefined : `${field}: ${words}`;
}
