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
  interface Visit {
    readonly state: State;
    readonly what: string;
    readonly from: Visit | undefined;
  }
  const known = new Set([keyOf(start)]);
  const seen: Record<string, number> = {};
  let frontier: Visit[] = [{ state: start, what: 'start', from: undefined }];
  while (frontier.length > 0) {
    const next: Visit[] = [];
    for (const from of frontier)
      for (const { what, state } of movesOf(from.state)) {
        const key = keyOf(state);
        if (known.has(key)) continue;
        known.add(key);
        if (known.size > statesMax) throw new Error(`more than ${statesMax} states`);
        const visit: Visit = { state, what, from };
        const promise = brokenPromise(state);
        if (promise !== undefined) return { states: known.size, broken: { promise, trace: traceOf(visit) }, seen };
        for (const thing of remarkable(state)) seen[thing] = (seen[thing] ?? 0) + 1;
        next.push(visit);
      }
    frontier = next;
  }
  return { states: known.size, seen };

  function traceOf(last: Visit): string[] {
    const trace: string[] = [];
    for (let visit: Visit | undefined = last; visit?.from !== undefined; visit = visit.from) trace.unshift(visit.what);
    return trace;
  }
}
