/** Longer ones are cut off by nobody: they are refused. Characters. */
export const reasonMax = 500;
const operatorMax = 200;

/**
 * What is wrong with a wish to pause or resume the line, in words for whoever wishes; undefined when nothing is. It is kept,
 * and read months later: so it says who and why.
 */
export function lineCommandProblem({
  operator,
  reason,
}: {
  readonly operator: string;
  readonly reason: string;
}): string | undefined {
  if (typeof operator !== 'string' || operator.trim() === '') return 'who wants it is not known';
  if (operator.length > operatorMax) return `an operator's name has at most ${operatorMax} characters`;
  if (typeof reason !== 'string' || reason.trim() === '') return 'a reason is needed, for whoever asks later why';
  if (reason.length > reasonMax) return `a reason has at most ${reasonMax} characters`;
  if (/\p{Cc}/u.test(operator + reason)) return 'a name and a reason are one line of text without control characters';
  return undefined;
}
