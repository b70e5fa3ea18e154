import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

/** The workflows: bundled by whoever built or started the stack (WORKFLOW_BUNDLE), or bundled now, in some seconds. */
export function workflowSource(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const codePath = process.env['WORKFLOW_BUNDLE'];
  if (codePath !== undefined) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)) };
}
