import { type LineChange, rememberedChangesMax } from './gate.ts';

/** Merges two lists of changes: newest first, without duplicates, at most rememberedChangesMax. */
export function mergeChanges(a: readonly LineChange[], b: readonly LineChange[]): readonly LineChange[] {
  const byNumber = new Map([...a, ...b].map((change) => [change.number, change]));
  return [...byNumber.values()].sort((one, other) => other.number - one.number).slice(0, rememberedChangesMax);
}
