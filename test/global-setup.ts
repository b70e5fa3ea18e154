import { startTestStack } from './stack.ts';

/**
 * Starts one stack for all tests of a Vitest run. Tests find it through environment variables, as every process does.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const stack = await startTestStack();
  for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN']) delete process.env[name];
  Object.assign(process.env, stack.environment);
  return stack.stop;
}
