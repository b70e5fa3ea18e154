import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

/**
 * Makes a query fail if it has brought activity results to the workflow too early (ADR 0029).
 *
 * A query can reach a worker that does not have the workflow in its cache. The worker then replays the history so far. If
 * that history ends with results for which no workflow task exists yet, the SDK (1.24) still hands these results to the
 * workflow. The rest follows with the next task, so the workflow takes two steps where every replay takes one. Its commands
 * can then be in another order, and no worker can replay it any more (`TMPRL1100`).
 *
 * After the failed query the SDK discards the workflow, and the next task replays it. Only a workflow task advances the
 * workflow's time, so results at an unchanged time have come without a task.
 */
export const rejectEarlyResults: WorkflowInterceptorsFactory = () => {
  let lastTaskTime: string | undefined;
  let isEarly = false;
  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, timestamp } = input.activation;
          if (jobs?.every(({ queryWorkflow }) => queryWorkflow)) {
            if (isEarly) throw new Error('the query arrived between two workflow tasks: repeat it');
          } else {
            const time = `${timestamp?.seconds} s ${timestamp?.nanos} ns`;
            isEarly = time === lastTaskTime;
            lastTaskTime = time;
          }
          next(input);
        },
      },
    ],
  };
};
