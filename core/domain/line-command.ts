/** Maximum length of a reason, in characters. Longer reasons are rejected. */
export const reasonMax = 500;
const operatorMax = 200;

/**
 * Returns what is wrong with a command to pause or resume the line, in words for the operator; undefined if it is valid.
 * Name and reason are required, because people read the history of the line months later.
 */
export function lineCommandProblem({
  operator,
  reason,
}: {
  readonly operator: string;
  readonly reason: string;
}): string | undefined {
  if (typeof operator !== 'string' || operator.trim() === '') return 'the name of the operator is missing';
  if (operator.length > operatorMax) return `the operator's name is longer than ${operatorMax} characters`;
  if (typeof reason !== 'string' || reason.trim() === '') return 'a reason is required';
  if (reason.length > reasonMax) return `the reason is longer than ${reasonMax} characters`;
  if (/\p{Cc}/u.test(operator + reason)) return 'the name and the reason must be one line without control characters';
  return undefined;
}
