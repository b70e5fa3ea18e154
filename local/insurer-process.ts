import { join } from 'node:path';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

export interface InsurerSpec {
  readonly port: number;
  readonly controlPort: number;
  readonly token: string;
  /** the days that have passed at the insurer, kept over a stop */
  readonly stateFile: string;
  readonly logDir: string;
}

/** Starts the insurer simulator; INSURER_SEED, INSURER_PATIENTS, … of the environment reach it. @throws StartFailure */
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
