import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { ensureDeployed, testDir } from './stack.ts';

/** What the stacks of all files start from, before files run side by side. */
export default async function prepare(): Promise<void> {
  for (const what of ['data', 'api', 'traced-api'] as const) await ensureDeployed(what);
  await ensureWorkflowBundle(pathsIn(testDir).bundles);
}
