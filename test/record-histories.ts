import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { insurerLineId } from '../core/contract/names.ts';
import { insurerId, startDay } from './day.fixture.ts';
import { historiesOf } from './histories.fixture.ts';

/** The key that the recorded histories are encrypted with. It protects nothing: their people are made up. */
export const historyKeys = `histories:${Buffer.alloc(32, 'epa-sync').toString('base64')}`;

const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10 };
const world = { patients: 20, rate: 0.4, mix, notInsuredShare: 0.1, unknownShare: 0.05 };

/**
 * Records anew what `replay.test.ts` replays: a first day; removals that wait and are approved; a cancelled run; the memory
 * of a line that is paused until it continues as new.
 */
if (import.meta.main) {
  const dir = join(import.meta.dirname, 'histories');
  mkdirSync(dir, { recursive: true });
  await using day = await startDay(world, { PAYLOAD_KEYS: historyKeys });
  await day.startWorker();
  const keep = async (name: string, workflowId?: string, age = 0): Promise<void> => {
    const kept = (await historiesOf(day.client, workflowId))[age];
    if (kept) writeFileSync(join(dir, `${name}.json`), `${historyToJSON(kept.history)}\n`);
  };
  await day.runToEnd();
  await keep('first-day');
  day.insurer.setList('empty');
  await day.sync.start();
  await day.until(({ awaitingDecision }) => awaitingDecision);
  await day.sync.decideRemovals({ decision: 'approve', operator: 'olga' });
  await day.ended();
  await keep('removals-approved');
  day.insurer.setList('normal');
  await day.sync.start();
  await day.until(({ careRecords }) => careRecords.pending > 0);
  await day.sync.cancel();
  await day.ended();
  await keep('cancelled');
  const line = insurerLineId(insurerId);
  while ((await historiesOf(day.client, line)).length < 2) {
    await day.line.pause({ operator: 'olga', reason: 'the insurer called' });
    await day.line.resume({ operator: 'otto', reason: 'all is well' });
  }
  await keep('line-continued', line, 1);
}
