import { proxyActivities } from '@temporalio/workflow';
import type { AccessLogCheckActivities, AccessLogCheckInput } from '../../core/contract/access-log-check.ts';
import { bulkTaskQueue } from '../../core/contract/names.ts';

const { checkAccessLogs } = proxyActivities<AccessLogCheckActivities>({
  taskQueue: bulkTaskQueue,
  startToCloseTimeout: '7 days',
  heartbeatTimeout: '10 s',
  retry: { initialInterval: '1 s', maximumInterval: '1 min' },
});

/** Verifies all access logs (docs/adr/0061). Has one step, because its activity continues where it ended. */
export async function accessLogCheck(input: AccessLogCheckInput): Promise<void> {
  await checkAccessLogs(input);
}
