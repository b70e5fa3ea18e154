import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { accessLogCheckId, careRefreshId, dailySyncId, insurerLineId } from '../core/contract/names.ts';
import { markOf } from '../core/crypto/pseudonyms.ts';
import { GateError, openGate } from '../core/stores/gate.ts';
import { createSyncRunsStore } from '../core/stores/sync-runs.ts';
import { tablesOf } from '../core/stores/tables.ts';
import { StartFailure } from '../terminal/start-failure.ts';
import { emulatorClientOptions } from './emulator.ts';

/** Returns what a person does to delete the data of the emulator and of Temporal. */
export const howToDelete = (isExternal: boolean): string =>
  isExternal
    ? 'Delete it with docker compose down -v, then docker compose up -d --wait.'
    : 'Delete it with npm start -- --fresh.';

export interface EarlierData {
  readonly aws: string;
  readonly region: string;
  readonly temporal: string;
  readonly temporalNamespace: string;
  readonly deployment: string;
  readonly insurerId: string;
  /** base64 */
  readonly pseudonymKey: string;
  readonly keysFile: string;
  readonly isExternal: boolean;
}

/**
 * Checks that what earlier starts have left belongs together: the tables of the emulator, the workflows of Temporal, and the
 * keys. A run would go on otherwise, with patients that are gone, or a worker would end.
 * @throws StartFailure
 */
export async function checkEarlierData(earlier: EarlierData): Promise<void> {
  const { aws, region, deployment, insurerId, pseudonymKey, keysFile, temporal, isExternal } = earlier;
  const tables = tablesOf(deployment);
  const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient(emulatorClientOptions({ endpoint: aws, region })));
  try {
    if (!(await hasGate(dynamo, tables.line, insurerId))) {
      const running = await findRunning(earlier);
      if (running === undefined) return; // nothing is left
      throw new StartFailure(
        `the AWS emulator at ${aws} is empty, but Temporal at ${temporal} still has the workflow ${running} of the data that is gone. ${howToDelete(isExternal)}`,
      );
    }
    const mark = markOf(Buffer.from(pseudonymKey, 'base64'));
    if (!(await createSyncRunsStore(dynamo, tables).isPseudonymKey(insurerId, mark)))
      throw new StartFailure(
        `the data at ${aws} was stored with another PSEUDONYM_KEY than that in ${keysFile}, for example by another clone. Start there, or restore the file. Or give up the data: ${howToDelete(isExternal)}`,
      );
  } finally {
    dynamo.destroy();
  }
}

/** So long a table is asked again: a call of the gate has one second, and all parts of the stack start at the same time. */
const patienceMs = 15_000;

/** Returns whether a worker has ever used the tables. */
async function hasGate(dynamo: DynamoDBDocumentClient, lineTable: string, insurerId: string): Promise<boolean> {
  const gate = openGate(dynamo, insurerId, { lineTable });
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      await gate.find();
      return true;
    } catch (error) {
      const isNew = error instanceof GateError && error.fault === 'unknown-insurer';
      const isNotDeployed = error instanceof GateError && error.cause instanceof ResourceNotFoundException;
      if (isNew || isNotDeployed) return false;
      if (performance.now() >= giveUpAt) throw error;
      await sleep(250);
    }
  }
}

/** Returns the ID of a workflow of the insurer that has not ended; undefined if there is none. */
async function findRunning({ temporal, temporalNamespace, insurerId }: EarlierData): Promise<string | undefined> {
  const connection = await Connection.connect({ address: temporal });
  try {
    const { workflow } = new Client({ connection, namespace: temporalNamespace });
    const describe = async (workflowId: string) =>
      await workflow
        .getHandle(workflowId)
        .describe()
        .catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        });
    const lastRun = await describe(dailySyncId(insurerId));
    const others = [insurerLineId(insurerId), accessLogCheckId(insurerId)];
    const lastRunId = lastRun?.memo?.['runId'];
    if (lastRunId !== undefined) others.push(careRefreshId(String(lastRunId))); // it outlives its run
    const found = [lastRun, ...(await Promise.all(others.map(describe)))];
    return found.find((each) => each?.status.name === 'RUNNING')?.workflowId;
  } finally {
    await connection.close();
  }
}
