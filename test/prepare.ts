import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { testDir } from '../tools/test-dir.ts';
import { ensureDeployed } from './stack.ts';

/** Creates the deployments from which all stacks start, before test files run in parallel. */
export default async function prepare(): Promise<void> {
  for (const what of ['data', 'api', 'traced-api'] as const) await ensureDeployed(what);
  await ensureWorkflowBundle(pathsIn(testDir).bundles);
}
