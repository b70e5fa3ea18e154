/** Why a request on the line failed (docs/explanation/the-line.md, "The exchange"). Metrics, progress and alarms group by it. */
export const lineFaults = [
  'refused',
  'reset',
  'stalled',
  'cut-short',
  'not-json',
  'contract',
  'wrong-patient',
  'server-error',
  'busy',
  'redirect',
  'unauthorized',
  'too-large',
] as const;
export type LineFault = (typeof lineFaults)[number];

/** Number of requests on the line, and of failed ones by fault kind. */
export interface LineUse {
  readonly requests: number;
  readonly faults: Partial<Record<LineFault, number>>;
}

export const zeroLineUse: LineUse = { requests: 0, faults: {} };

export function addLineUse(a: LineUse, b: LineUse): LineUse {
  const faults: Partial<Record<LineFault, number>> = { ...a.faults };
  for (const fault of lineFaults) {
    const count = b.faults[fault];
    if (count !== undefined) faults[fault] = (faults[fault] ?? 0) + count;
  }
  return { requests: a.requests + b.requests, faults };
}

export const failuresOf = (use: LineUse): number =>
  lineFaults.reduce((sum, fault) => sum + (use.faults[fault] ?? 0), 0);

/** Priorities of requests that wait for the line, highest first (docs/explanation/the-line.md, "The queue"). */
export const priorities = ['person', 'list', 'bulk'] as const;
export type Priority = (typeof priorities)[number];
