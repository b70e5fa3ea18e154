import { join } from 'node:path';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

export interface InsurerSpec {
  readonly port: number;
  readonly controlPort: number;
  readonly token: string;
  /** keeps the simulated days between starts */
  readonly stateFile: string;
  readonly logDir: string;
}

/**
 * Starts the insurer simulator. It reads INSURER_SEED, INSURER_PATIENTS and so on from the environment.
 * @throws StartFailure
 */
export async function startInsurerSimulator(spec: InsurerSpec): Promise<ManagedProcess> {
  let isListening = false;
  const insurer = startProcess({
    name: 'insurer',
    command: process.execPath,
    args: [join(import.meta.dirname, '..', 'simulator', 'main.ts')],
    env: {
      ...process.env,
      INSURER_PORT: String(spec.port),
      INSURER_CONTROL_PORT: String(spec.controlPort),
      INSURER_API_TOKEN: spec.token,
      INSURER_STATE_FILE: spec.stateFile,
    },
    logDir: spec.logDir,
    graceMs: 5_000,
    onLine: (line) => {
      isListening ||= line.startsWith('insurer listening');
    },
  });
  await untilReady(insurer, async () => isListening, { timeoutMs: 60_000, pollMs: 25 }).catch(
    async (error: unknown) => {
      await insurer.stop();
      throw error;
    },
  );
  return insurer;
}
