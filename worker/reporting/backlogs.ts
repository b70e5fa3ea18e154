import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { bulkTaskQueue, lineTaskQueue, syncTaskQueue, urgentLineTaskQueue } from '../../core/contract/names.ts';

const { TASK_QUEUE_TYPE_ACTIVITY, TASK_QUEUE_TYPE_WORKFLOW } = proto.temporal.api.enums.v1.TaskQueueType;
const typesOf = {
  [syncTaskQueue]: [TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY],
  [bulkTaskQueue]: [TASK_QUEUE_TYPE_ACTIVITY],
  [lineTaskQueue]: [TASK_QUEUE_TYPE_ACTIVITY],
  [urgentLineTaskQueue]: [TASK_QUEUE_TYPE_ACTIVITY],
} as const;
const answerTimeoutMs = 5_000;

export type Backlogs = Readonly<Record<keyof typeof typesOf, number>>;

/** Reads the number of tasks that wait in each task queue, as estimated by Temporal. */
export async function readBacklogs(client: Client): Promise<Backlogs> {
  const { namespace } = client.options;
  const backlogOf = async (name: string, taskQueueType: proto.temporal.api.enums.v1.TaskQueueType): Promise<number> => {
    const { stats } = await client.connection.withDeadline(Date.now() + answerTimeoutMs, () =>
      client.workflowService.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType, reportStats: true }),
    );
    return Number(stats?.approximateBacklogCount ?? 0);
  };
  const backlogs = Object.entries(typesOf).map(async ([name, types]) => {
    const counts = await Promise.all(types.map((type) => backlogOf(name, type)));
    return [name, counts.reduce((sum, count) => sum + count, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(backlogs)) as Backlogs;
}
