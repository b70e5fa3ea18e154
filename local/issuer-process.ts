import { join } from 'node:path';
import { type ManagedProcess, startProcess, untilReady } from './processes.ts';

/** `aud` of the tokens on a laptop */
export const audience = 'epa-sync-api';

export interface IssuerProcessSpec {
  readonly port: number;
  readonly keysFile: string;
  readonly consoleOrigin: string;
  /** lifetime of an access token in seconds; an hour by default */
  readonly tokenSeconds?: number;
  readonly logDir: string;
}

/** Starts the OIDC issuer with its demo users. @throws StartFailure */
export async function startIssuer(spec: IssuerProcessSpec): Promise<ManagedProcess> {
  const { port, keysFile, consoleOrigin, tokenSeconds, logDir } = spec;
  let isListening = false;
  const issuer = startProcess({
    name: 'issuer',
    command: process.execPath,
    args: [join(import.meta.dirname, 'oidc', 'main.ts')],
    env: {
      ...process.env,
      ISSUER_PORT: String(port),
      ISSUER_KEYS_FILE: keysFile,
      OIDC_AUDIENCE: audience,
      CONSOLE_ORIGIN: consoleOrigin,
      ...(tokenSeconds !== undefined && { ISSUER_TOKEN_SECONDS: String(tokenSeconds) }),
    },
    logDir,
    graceMs: 5_000,
    onLine: (line) => {
      isListening ||= line.startsWith('issuer listening');
    },
  });
  await untilReady(issuer, async () => isListening, { timeoutMs: 30_000, pollMs: 25 }).catch(async (error: unknown) => {
    await issuer.stop();
    throw error;
  });
  return issuer;
}
