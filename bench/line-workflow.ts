import { ActivityFailure, ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import type { LineActivities } from '../core/contract/line-activities.ts';
import type { Kvnr } from '../core/domain/kvnr.ts';

export interface BenchLineInput {
  readonly patientRefs: readonly string[];
  /** number of patients in parallel */
  readonly window: number;
  /** ours: the activity repeats requests itself; default, shortest: one request per attempt, retried by Temporal */
  readonly retries: 'ours' | 'default' | 'shortest';
}

export interface OneRequestActivities {
  fetchOnce(kvnr: Kvnr): Promise<void>;
}

const attempt = { startToCloseTimeout: '1 hour', heartbeatTimeout: '10 s' } as const;
const { fetchCareRecords } = proxyActivities<LineActivities>({
  ...attempt,
  retry: { initialInterval: '1 s', backoffCoefficient: 1 },
});
const once = {
  default: proxyActivities<OneRequestActivities>({ startToCloseTimeout: '1 hour' }),
  shortest: proxyActivities<OneRequestActivities>({
    startToCloseTimeout: '1 hour',
    retry: { initialInterval: '1 ms', backoffCoefficient: 1 },
  }),
};

/** Fetches the care records of many patients in a sliding window, without storing them. */
export async function benchLine({ patientRefs, window, retries }: BenchLineInput): Promise<void> {
  const left = patientRefs.values();
  await Promise.all(
    Array.from({ length: window }, async () => {
      for (const patientRef of left)
        if (retries === 'ours')
          await fetchCareRecords({
            insurerId: 'bench',
            patientRef,
            syncId: 'bench',
            priority: 'bulk',
            maxRequests: 10_000,
          }).catch(ignoreFinal);
        else await once[retries].fetchOnce(patientRef as Kvnr);
    }),
  );
}

/** Ignores final failures: 404 and 410 are answers, too. */
function ignoreFinal(error: unknown): void {
  if (!(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.nonRetryable))
    throw error;
}
