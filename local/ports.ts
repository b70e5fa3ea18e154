import { createServer } from 'node:net';
import { StartFailure } from '../terminal/start-failure.ts';
import type { Ports } from './settings.ts';

const names: Readonly<Record<keyof Ports, string>> = {
  temporal: 'Temporal',
  temporalUi: "Temporal's web page",
  emulator: 'the AWS emulator',
  console: 'the console',
  insurer: 'the insurer simulator',
  insurerControl: "the insurer simulator's control port",
  issuer: 'the OIDC issuer',
};

/** Checks that ports are free. @throws StartFailure that names all ports in use */
export async function checkPortsFree(ports: Ports, needed: readonly (keyof Ports)[]): Promise<void> {
  const checked = await Promise.all(needed.map(async (name) => ({ name, isFree: await isFree(ports[name]) })));
  const taken = checked.filter(({ isFree }) => !isFree).map(({ name }) => `${ports[name]} (${names[name]})`);
  if (taken.length === 0) return;
  const [what, it] = taken.length === 1 ? ['port', 'is'] : ['ports', 'are'];
  throw new StartFailure(
    `cannot start: ${what} ${taken.join(', ')} ${it} in use. Stop the process that listens there, or set PORT_BASE (such as 19000) to move all ports.`,
  );
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
