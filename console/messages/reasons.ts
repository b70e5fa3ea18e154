import { type LineFault, lineFaults } from '../../core/domain/line.ts';
import type { Messages } from './de.ts';

const isLineFault = (code: string): code is LineFault => (lineFaults as readonly string[]).includes(code);

/**
 * Describes the reason of an issue or the error of a sync in the user's language. `reason` is a code, a fault kind, or the
 * list of problems of the list, of an entry or of care records, such as `kvnr: check digit; birthDate: missing`. Shows an unknown
 * reason as it is.
 */
export function describeReason(reason: string, { reasons, run }: Messages): string {
  const description = reasons.codes[reason];
  if (description !== undefined) return description;
  // a sync ends with the fault of its last attempt
  if (isLineFault(reason)) return reasons.exhausted(run.faultKinds[reason]);
  const problems = reason.split('; ').map((problem) => describeProblem(problem, reasons));
  return problems.every((problem) => problem !== undefined) ? problems.join('; ') : reasons.unexpected(reason);
}

/** A path within care records, which has the insurer's names of fields: shown as it is. */
const recordsPath = /^(?:answer|careRecords(?:\[\d+\](?:\.\w+(?:\[\d+\])?)*)?)$/;

function describeProblem(problem: string, texts: Messages['reasons']): string | undefined {
  const { fields, faults } = texts;
  if (problem === 'and more') return texts.andMore;
  const [, others] = /^and (\d+) more$/.exec(problem) ?? [];
  if (others !== undefined) return texts.more(others);
  const [path = '', fault = ''] = problem.split(': ');
  const [, word = fault, charset] = /^(not UTF-8) \((\S+) fits\)$/.exec(fault) ?? [];
  const [, status] = /^status (\d{3})$/.exec(fault) ?? [];
  const field = fields[path] ?? (recordsPath.test(path) ? path : undefined);
  const description = faults[status === undefined ? word.replace(/^(not of type) \w+$/, '$1') : 'status'];
  if (field === undefined || description === undefined) return undefined;
  const details = [charset && ` (${texts.fits(charset)})`, status && ` ${status}`];
  return `${field}: ${description}${details.filter(Boolean).join('')}`;
}
