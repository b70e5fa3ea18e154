import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

/** The workflows: bundled by whoever built or started the stack (WORKFLOW_BUNDLE), or bundled now, in some seconds. */
export function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'interceptors'> {
  const codePath = process.env['WORKFLOW_BUNDLE'];
  if (codePath !== undefined) return { workflowBundle: { codePath } };
  const pathOf = (file: string): string => fileURLToPath(new URL(`./workflows/${file}`, import.meta.url));
  return { workflowsPath: pathOf('index.ts'), interceptors: { workflowModules: [pathOf('interceptors.ts')] } };
}
