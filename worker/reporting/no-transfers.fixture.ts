import type { TransferReporter } from './transfer-reporter.ts';

/** For tests in which nobody watches transfers. */
export const noTransfers: Pick<TransferReporter, 'follow' | 'count'> = {
  follow: () => ({ end: () => {} }),
  count: () => ({ end: () => {} }),
};
