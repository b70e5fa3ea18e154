import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { z } from 'zod';
import { securityHeaders } from '../../console/security-headers.ts';
import { ConfigError, readConfig } from '../../core/config.ts';
import { errorLine } from '../../terminal/start-failure.ts';

const settings = z.object({
  CONSOLE_PORT: z.coerce.number().int().min(1).max(65_535),
  /** folder of the built page */
  CONSOLE_DIR: z.string().min(1),
  API_URL: z.url(),
  OIDC_ISSUER: z.url(),
});

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface Served {
  readonly type: string;
  readonly body: string | Buffer;
}

/** Serves the built page as CloudFront does: with the same headers, and with its settings at /config.json. */
async function serve({
  CONSOLE_PORT: port,
  CONSOLE_DIR: dir,
  API_URL: apiUrl,
  OIDC_ISSUER: oidcIssuer,
}: z.infer<typeof settings>) {
  const origin = `http://127.0.0.1:${port}`;
  const headers = securityHeaders({ apiOrigin: new URL(apiUrl).origin, issuerOrigins: [new URL(oidcIssuer).origin] });
  const oidc = { oidcIssuer, oidcClientId: 'console', oidcScope: 'openid profile', oidcRolesClaim: 'roles' };
  const config = JSON.stringify({ apiUrl, ...oidc });
  const find = (path: string): Served | undefined => {
    if (path === '/config.json') return { type: 'application/json', body: config };
    const file = join(dir, normalize(path === '/' ? '/index.html' : path));
    const type = types[extname(file)];
    return type !== undefined && file.startsWith(dir) && existsSync(file)
      ? { type, body: readFileSync(file) }
      : undefined;
  };
  const server = createServer((request, response) => {
    const pathname = URL.parse(request.url ?? '/', origin)?.pathname ?? ''; // undefined for a path such as //
    const isOurs = request.headers.host === new URL(origin).host; // any other host name is DNS rebinding
    const found = isOurs && (request.method === 'GET' || request.method === 'HEAD') ? find(pathname) : undefined;
    if (found === undefined) return response.writeHead(404, headers).end();
    const isNamedByContent = pathname.startsWith('/assets/');
    response.writeHead(200, {
      ...headers,
      'content-type': found.type,
      'cache-control': isNamedByContent ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
    return response.end(found.body);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  process.stdout.write(`console listening on ${origin}\n`);
  process.on('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
  });
}

try {
  await serve(readConfig(settings, process.env));
} catch (error) {
  process.stderr.write(`console: ${error instanceof ConfigError ? error.message : errorLine(error)}\n`);
  process.exitCode = 1;
}
