import { pathsIn } from '../local/settings.ts';
import { ensureWorkflowBundle } from '../local/workflow-bundle.ts';
import { testDir } from '../tools/test-dir.ts';
import { ensureDeployed } from './stack.ts';

/** Creates the deployments from which all stacks start, before test files run in parallel. */
export default async function prepare(): Promise<void> {
  await ensureDeployed('data'); // alone, because it may have to install the emulator
  await Promise.all([
    ensureDeployed('api'),
    ensureDeployed('traced-api'),
    ensureWorkflowBundle(pathsIn(testDir).bundles),
  ]);
}
