import { createServer, type Server } from 'node:http';

/**
 * Serves the health check for ECS and docker compose. Answers 200 while the worker takes work and its line process runs.
 * Answers 503 before, afterwards, if the line process does not start, and if Temporal refuses the worker for a minute
 * (TemporalWatch.isRefused). An outage of Temporal, AWS or the insurer does not make a worker unhealthy, because another worker would fail as
 * well. A frozen process does not answer.
 * @param isHealthy called for each request
 */
export function startHealth(port: number, isHealthy: () => boolean): Server {
  const server = createServer((_, response) => {
    response.writeHead(isHealthy() ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(isHealthy() ? 'taking work\n' : 'not taking work\n');
  });
  return server.listen(port, '127.0.0.1').unref();
}
