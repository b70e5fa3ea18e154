import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startTestStack } from '../stack.ts';

const root = dirname(dirname(import.meta.dirname));

test('npm start -- --external deploys to an emulator and a Temporal that are there, and a run over them completes', async () => {
  await using stack = await startTestStack();
  const portBase = 12_500 + 100 * Math.floor(Math.random() * 25);
  const { AWS_ENDPOINT_URL, TEMPORAL_ADDRESS } = stack.environment;
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL,
    TEMPORAL_ADDRESS,
    TEMPORAL_API_KEY: 'one for elsewhere',
    LOCAL_DIR: join(stack.dir, 'external'),
    PORT_BASE: String(portBase),
    INSURER_PATIENTS: '20',
  };
  const started = spawn('npm', ['start', '--', '--external', '--once'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [said, complained, [code]] = await Promise.all([
    text(started.stdout),
    text(started.stderr),
    once(started, 'exit'),
  ]);
  expect({ code, complained, said }).toMatchObject({ code: 0, said: expect.stringContaining('completed') });
});
