/** Why one request on the line failed. One word each: metrics, progress and alarms group on it (docs/explanation/the-line.md, "The exchange"). */
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

/** What the line was used for: requests that left the house, and those of them that failed, by kind. */
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

/** Whose turn on the line comes first when several wait, first to last (docs/explanation/the-line.md, "The queue"). */
export const priorities = ['person', 'list', 'bulk'] as const;
export type Priority = (typeof priorities)[number];
