import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';

/** @returns whether the condition of a write was met */
export async function isConditionMet(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
