import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePorts } from './free-ports.ts';
import { checkPortsFree } from './ports.ts';
import { portsFrom } from './settings.ts';

test('the error names the port in use, its purpose, and what to do', async () => {
  const [port = 0] = await freePorts(1);
  const server = createServer().listen(port, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  await expect(checkPortsFree({ ...portsFrom(40_000), temporal: port }, ['temporal'])).rejects.toThrow(
    new RegExp(`port ${port} \\(Temporal\\) is in use.*PORT_BASE`),
  );
});
