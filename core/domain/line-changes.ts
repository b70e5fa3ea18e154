import { type LineChange, rememberedChangesMax } from './gate.ts';

/** Two lists of changes as one, newest first, each change once, and no more than are remembered. */
export function mergeChanges(a: readonly LineChange[], b: readonly LineChange[]): readonly LineChange[] {
  const byNumber = new Map([...a, ...b].map((change) => [change.number, change]));
  return [...byNumber.values()].sort((one, other) => other.number - one.number).slice(0, rememberedChangesMax);
}
