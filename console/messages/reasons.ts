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
  const problems = reason.split('; ').map((problem) => describeWords(problem, reasons, run.faultKinds));
  return problems.every((problem) => problem !== undefined) ? problems.join('; ') : reasons.unexpected(reason);
}

/** Describes a fault without its path, or a code, in the user's language. Shows an unknown one as it is. */
export function describeFault(fault: string, { reasons, run }: Messages): string {
  const { word, detail } = detailed(fault, reasons);
  const description = reasons.codes[fault] ?? reasons.faults[word] ?? (isLineFault(word) ? run.faultKinds[word] : word);
  return `${description}${detail}`;
}

/** Describes a problem that a run has counted, in the user's language. @param kind a code if the path is `answer` */
export function describeProblem(path: string, kind: string, messages: Messages): string {
  const isCode = path === 'answer' && (messages.reasons.codes[kind] !== undefined || isLineFault(kind));
  return describeReason(isCode ? kind : `${path}: ${kind}`, messages);
}

/** A path within care records, which has the insurer's names of fields: shown as it is. `[]` stands for any position. */
const recordsPath = /^(?:answer|careRecords(?:\[\d*\](?:\.\w+(?:\[\d*\])?)*)?)$/;

function describeWords(
  problem: string,
  texts: Messages['reasons'],
  faultKinds: Messages['run']['faultKinds'],
): string | undefined {
  const { fields, faults } = texts;
  if (problem === 'and more') return texts.andMore;
  const [, others] = /^and (\d+) more$/.exec(problem) ?? [];
  if (others !== undefined) return texts.more(others);
  const [, path = '', fault = ''] = /^(.*?): (.*)$/.exec(problem) ?? [];
  const field = fields[path] ?? (recordsPath.test(path) ? path : undefined);
  const { word, detail } = detailed(fault, texts);
  const description = faults[word] ?? (isLineFault(word) ? faultKinds[word] : undefined);
  return field === undefined || description === undefined ? undefined : `${field}: ${description}${detail}`;
}

/** Splits a fault into its words in `faults`, and what it says more: a status, a charset, or a code of the HTTP parser. */
function detailed(fault: string, { fits }: Messages['reasons']): { readonly word: string; readonly detail: string } {
  const [, status] = /^status (\d{3})$/.exec(fault) ?? [];
  if (status !== undefined) return { word: 'status', detail: ` ${status}` };
  const [, charset] = /^not UTF-8 \((\S+) fits\)$/.exec(fault) ?? [];
  if (charset !== undefined) return { word: 'not UTF-8', detail: ` (${fits(charset)})` };
  if (fault.startsWith('HPE_')) return { word: 'not HTTP', detail: ` (${fault})` };
  return { word: fault.replace(/^(not of type) \w+$/, '$1'), detail: '' };
}
