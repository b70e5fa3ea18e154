import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

/** Returns the bundle in WORKFLOW_BUNDLE if that is set; otherwise lets the SDK bundle the workflows, which takes seconds. */
export function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'interceptors'> {
  const codePath = process.env['WORKFLOW_BUNDLE'];
  if (codePath !== undefined) return { workflowBundle: { codePath } };
  const pathOf = (file: string): string => fileURLToPath(new URL(`./workflows/${file}`, import.meta.url));
  return { workflowsPath: pathOf('index.ts'), interceptors: { workflowModules: [pathOf('interceptors.ts')] } };
}
