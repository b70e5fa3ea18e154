import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const listRunSamples: Handler<'listRunSamples'> = async (_call, { stores, config }) => {
  const samples = await stores.syncRuns.readSamples(config.INSURER_ID);
  if (samples === undefined) throw new Problem('no-run-yet');
  return { body: samples };
};
