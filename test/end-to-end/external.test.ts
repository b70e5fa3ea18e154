import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startTestStack } from '../stack.ts';

const root = dirname(dirname(import.meta.dirname));
const portBase = 12_500 + 100 * Math.floor(Math.random() * 25);

test('npm start -- --external deploys to a running emulator and Temporal, and a run completes', async () => {
  await using stack = await startTestStack();
  const { AWS_ENDPOINT_URL, TEMPORAL_ADDRESS } = stack.environment;
  const start = async (clone: string) => {
    const env = {
      ...process.env,
      AWS_ENDPOINT_URL,
      TEMPORAL_ADDRESS,
      TEMPORAL_API_KEY: 'of another environment',
      LOCAL_DIR: join(stack.dir, clone),
      PORT_BASE: String(portBase),
      INSURER_PATIENTS: '20',
    };
    const started = spawn('npm', ['start', '--', '--external', '--once'], {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, errors, [code]] = await Promise.all([
      text(started.stdout),
      text(started.stderr),
      once(started, 'exit'),
    ]);
    return { code, errors, out };
  };
  expect(await start('external')).toMatchObject({ code: 0, out: expect.stringContaining('completed') });

  expect(await start('second-clone')).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/stored with another PSEUDONYM_KEY .*docker compose down -v.*\n$/),
  });
});
