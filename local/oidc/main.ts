import { z } from 'zod';
import { ConfigError, readConfig } from '../../core/config.ts';
import { errorLine } from '../../terminal/start-failure.ts';
import { openIssuer } from './issuer.ts';
import { ensureIssuerKeys } from './issuer-keys.ts';

const settings = z.object({
  ISSUER_PORT: z.coerce.number().int().min(1).max(65_535),
  ISSUER_KEYS_FILE: z.string().min(1),
  OIDC_AUDIENCE: z.string().min(1),
  CONSOLE_ORIGIN: z.url(),
  ISSUER_TOKEN_SECONDS: z.coerce.number().int().min(1).default(3_600),
});

try {
  const {
    ISSUER_PORT: port,
    ISSUER_KEYS_FILE: file,
    OIDC_AUDIENCE,
    CONSOLE_ORIGIN,
    ISSUER_TOKEN_SECONDS: tokenSeconds,
  } = readConfig(settings, process.env);
  const keys = await ensureIssuerKeys(file);
  const server = await openIssuer({ port, keys, audience: OIDC_AUDIENCE, consoleOrigin: CONSOLE_ORIGIN, tokenSeconds });
  process.stdout.write(`issuer listening on http://127.0.0.1:${port}\n`);
  process.on('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
  });
} catch (error) {
  process.stderr.write(`issuer: ${error instanceof ConfigError ? error.message : errorLine(error)}\n`);
  process.exitCode = 1;
}
