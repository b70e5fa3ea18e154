/** What can happen in a state, in words, and what becomes of it. */
export interface Move<State> {
  readonly what: string;
  readonly state: State;
}

export interface Exploration {
  readonly states: number;
  /** the shortest way to a state that breaks the promise, in words; undefined when there is none */
  readonly broken?: { readonly promise: string; readonly trace: readonly string[] };
  /** how many states each remarkable thing was seen in: a model in which nothing happens proves nothing */
  readonly seen: Readonly<Record<string, number>>;
}

/**
 * Visits every state that can be reached, breadth first, each once.
 * @param keyOf states with the same key have the same future
 * @param brokenPromise names the promise that a state breaks
 * @throws Error past `statesMax`: the model is to be made smaller, not the search
 */
export function explore<State>(options: {
  readonly start: State;
  readonly movesOf: (state: State) => Iterable<Move<State>>;
  readonly keyOf: (state: State) => string;
  readonly brokenPromise: (state: State) => string | undefined;
  readonly remarkable: (state: State) => readonly string[];
  readonly statesMax: number;
}): Exploration {
  const { start, movesOf, keyOf, brokenPromise, remarkable, statesMax } = options;
  /** how a state was come to; the state itself is forgotten once its moves are known */
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
        const promise = brokenPromise(state);
        if (promise !== undefined) return { states: known.size, broken: { promise, trace: traceOf(step) }, seen };
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
