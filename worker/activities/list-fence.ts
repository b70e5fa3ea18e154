import { ApplicationFailure } from '@temporalio/activity';
import type { WriteGuard } from '../../core/stores/write-guard.ts';

/** How long an attempt trusts the table's answer that its list is being written, in ms. `beginList` waits longer. */
export const listTrustMs = 2_000;

export const listSuperseded = (): ApplicationFailure =>
  ApplicationFailure.nonRetryable('the writes of another list have begun since', 'ListSuperseded');

/**
 * Adds to a write guard that nothing is written once another list has begun. A worker that is cut off from Temporal, but not
 * from AWS, does not learn in another way that its attempt has ended (docs/explanation/writes.md).
 * @param isApplying asks the table
 */
export function fenceList(guard: WriteGuard, isApplying: () => Promise<boolean>): Required<WriteGuard> {
  let confirmedAtMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const askedAtMs = performance.now(); // continues while the process is frozen
    if (!(await isApplying())) throw listSuperseded();
    confirmedAtMs = askedAtMs;
  };
  return {
    ...guard,
    async confirm() {
      while (performance.now() - confirmedAtMs > listTrustMs) {
        asking ??= ask().finally(() => {
          asking = undefined;
        });
        await asking;
      }
    },
  };
}
