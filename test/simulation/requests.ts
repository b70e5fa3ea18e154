import type { SimulatedProcess } from './world.ts';

/** Weights of the outcomes of a request, at the insurer or on the network. 80 % fail, as in reality. */
export const answers = {
  served: 20,
  'server-error': 24,
  reset: 14,
  'cut-short': 12,
  'not-json': 8,
  redirect: 3,
  hang: 0.5,
  stalled: 0.5,
  busy: 1.5,
  unauthorized: 0.4,
  'not-insured': 2,
  unknown: 1,
} as const;
export type Answer = keyof typeof answers;

/** A socket to the insurer, from the first attempt to connect until its process has closed it or has ended. */
export interface OpenSocket {
  readonly process: SimulatedProcess;
}

/** A request as the insurer sees it: from its first byte until the last byte of the answer, or until it sees the socket closed. */
export interface SeenRequest {
  readonly number: number;
  readonly process: SimulatedProcess;
  readonly kvnr: string | undefined;
  readonly startedMs: number;
  endedMs: number | undefined;
}
