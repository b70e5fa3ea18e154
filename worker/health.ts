import { createServer, type Server } from 'node:http';

/**
 * Says whether the worker is well, to whoever watches over it (ECS, docker compose): 200 while it takes work and the process
 * of its line runs, 503 before and after, and when that process does not come up. That Temporal, AWS or the insurer is away makes it no less well: another worker would stand there as well. A process
 * that stands still does not answer at all.
 * @param isWell asked at each request
 */
export function startHealth(port: number, isWell: () => boolean): Server {
  const server = createServer((_, response) => {
    response.writeHead(isWell() ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(isWell() ? 'taking work\n' : 'not taking work\n');
  });
  return server.listen(port, '127.0.0.1').unref();
}
