/** A move: its description, and the state after it. */
export interface Move<State> {
  readonly what: string;
  readonly state: State;
}

export interface Exploration {
  readonly states: number;
  /** the shortest path to a state that breaks the guarantee, as descriptions; undefined if there is none */
  readonly broken?: { readonly guarantee: string; readonly trace: readonly string[] };
  /** number of states with each remarkable event; a model in which nothing happens proves nothing */
  readonly seen: Readonly<Record<string, number>>;
}

/**
 * Visits every reachable state once, breadth first.
 * @param keyOf states with the same key have the same future
 * @param brokenGuarantee names the guarantee that a state breaks
 * @throws Error above `statesMax`: then make the model smaller
 */
export function explore<State>(options: {
  readonly start: State;
  readonly movesOf: (state: State) => Iterable<Move<State>>;
  readonly keyOf: (state: State) => string;
  readonly brokenGuarantee: (state: State) => string | undefined;
  readonly remarkable: (state: State) => readonly string[];
  readonly statesMax: number;
}): Exploration {
  const { start, movesOf, keyOf, brokenGuarantee, remarkable, statesMax } = options;
  /** the path to each state; the state itself is dropped once its moves are known */
  interface Step {
    readonly what: string;
    readonly from: Step | undefined;
  }
  const known = new Set([keyOf(start)]);
  const seen: Record<string, number> = {};
  let frontier: { readonly state: State; readonly step: Step | undefined }[] = [{ state: start, step: undefined }];
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { state: before, step: from } of frontier)
      for (const { what, state } of movesOf(before)) {
        const key = keyOf(state);
        if (known.has(key)) continue;
        known.add(key);
        if (known.size > statesMax) throw new Error(`more than ${statesMax} states`);
        const step: Step = { what, from };
        const guarantee = brokenGuarantee(state);
        if (guarantee !== undefined) return { states: known.size, broken: { guarantee, trace: traceOf(step) }, seen };
        for (const thing of remarkable(state)) seen[thing] = (seen[thing] ?? 0) + 1;
        next.push({ state, step });
      }
    frontier = next;
  }
  return { states: known.size, seen };

  function traceOf(last: Step): string[] {
    const trace: string[] = [];
    for (let step: Step | undefined = last; step !== undefined; step = step.from) trace.unshift(step.what);
    return trace;
  }
}
