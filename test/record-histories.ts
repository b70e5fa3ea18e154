import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { startDay } from './day.fixture.ts';
import { historiesOf } from './histories.fixture.ts';

/** The key that the recorded histories are encrypted with. It protects nothing: their people are made up. */
export const historyKeys = `histories:${Buffer.alloc(32, 'epa-sync').toString('base64')}`;

const mix = { 'reset-before-headers': 10, 'server-error': 20, 'cut-short': 10 };
const world = { patients: 20, rate: 0.4, mix, notInsuredShare: 0.1, unknownShare: 0.05 };

/** Records anew what `replay.test.ts` replays: a first day; removals that wait and are approved; a cancelled run. */
if (import.meta.main) {
  const dir = join(import.meta.dirname, 'histories');
  mkdirSync(dir, { recursive: true });
  await using day = await startDay(world, { PAYLOAD_KEYS: historyKeys });
  await day.startWorker();
  const keep = async (name: string): Promise<void> => {
    const [newest] = await historiesOf(day.client);
    if (newest) writeFileSync(join(dir, `${name}.json`), `${historyToJSON(newest.history)}\n`);
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
}
