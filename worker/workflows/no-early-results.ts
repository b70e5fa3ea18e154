import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

/**
 * Keeps what a query has brought too early out of a run. A query that reaches a worker without the workflow is answered from the
 * history so far; when that ends with results for which no workflow task has come yet, the SDK (1.24) hands them to the workflow all the
 * same, and what came after with the next task. The workflow has then gone in two steps what a replay goes in one: its commands may stand
 * in another order, and no worker can take it over (`TMPRL1100`, ADR 0029). Such a query fails here, and with it the worker
 * forgets the workflow; the next task is a replay. Only a task moves a workflow's time: by that, results without one are known.
 */
export const refuseEarlyResults: WorkflowInterceptorsFactory = () => {
  let timeOfTask: string | undefined;
  let isEarly = false;
  return {
    internals: [
      {
        activate(input, next) {
          const { jobs, timestamp } = input.activation;
          if (jobs?.every(({ queryWorkflow }) => queryWorkflow)) {
            if (isEarly) throw new Error('the run was asked between two of its tasks; ask again');
          } else {
            const time = `${timestamp?.seconds} s ${timestamp?.nanos} ns`;
            isEarly = time === timeOfTask;
            timeOfTask = time;
          }
          next(input);
        },
      },
    ],
  };
};
