import { ApplicationFailure, proxyActivities } from '@temporalio/workflow';

const { tell } = proxyActivities<{ tell(name: string): Promise<string> }>({
  startToCloseTimeout: '10 s',
  retry: { maximumAttempts: 1 },
});

/** Fails with the name in every part of the failure: message, stack, details, and a cause from an activity. */
export async function secretiveWorkflow(name: string): Promise<void> {
  try {
    await tell(name);
  } catch (cause) {
    throw ApplicationFailure.create({
      message: `about ${name}`,
      type: 'FixedWord',
      nonRetryable: true,
      details: [name],
      ...(cause instanceof Error && { cause }),
    });
  }
}
