import { type LineFault, lineFaults } from '../../core/domain/line.ts';
import type { Messages } from './de.ts';

const isLineFault = (code: string): code is LineFault => (lineFaults as readonly string[]).includes(code);

/**
 * Describes the reason of an issue or the error of a sync in the user's language. `reason` is a code, a fault kind, or the
 * list of problems of a list entry, such as `kvnr: check digit; birthDate: missing`. Shows an unknown reason as it is.
 */
export function describeReason(reason: string, { reasons, run }: Messages): string {
  const description = reasons.codes[reason];
  if (description !== undefined) return description;
  // a sync ends with the fault of its last attempt
  if (isLineFault(reason)) return reasons.exhausted(run.faultKinds[reason]);
  const problems = reason.split('; ').map((problem) => describeProblem(problem, reasons));
  return problems.every((problem) => problem !== undefined) ? problems.join('; ') : reasons.unexpected(reason);
}

function describeProblem(problem: string, { fields, faults, more }: Messages['reasons']): string | undefined {
  const [, others] = /^and (\d+) more$/.exec(problem) ?? [];
  if (others !== undefined) return more(others);
  const [path = '', fault = ''] = problem.split(': ');
  const field = fields[path];
  const description = faults[fault.replace(/^(not of type) \w+$/, '$1')];
  return field === undefined || description === undefined ? undefined : `${field}: ${description}`;
}
