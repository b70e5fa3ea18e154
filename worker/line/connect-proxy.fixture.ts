import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface ConnectProxy extends AsyncDisposable {
  readonly host: string;
  /** what was asked for: `CONNECT {authority}`, or another method */
  readonly asked: readonly { readonly what: string; readonly headers: IncomingHttpHeaders }[];
  readonly openConnections: number;
  /** resolves with the number of requests that have arrived */
  requestArrives(count: number): Promise<void>;
  /** resolves once no connection is open */
  allClose(): Promise<void>;
}

/**
 * Starts an HTTP proxy for tunnels.
 * @param answer status line and headers without the last line break, with which it refuses; `hang`: it never answers;
 *   `close`: it closes the connection. By default it opens the tunnel
 */
export async function startConnectProxy(answer?: string): Promise<ConnectProxy> {
  const asked: { what: string; headers: IncomingHttpHeaders }[] = [];
  const open = new Set<Socket>();
  const server = createServer(({ method, url, headers }, response) => {
    asked.push({ what: `${method} ${url}`, headers });
    response.writeHead(405).end();
  });
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      server.emit('closed');
    });
  });
  server.on('connect', ({ url = '', headers }, socket) => {
    asked.push({ what: `CONNECT ${url}`, headers });
    server.emit('asked');
    if (answer === 'hang') return void socket.on('end', () => socket.destroy()).resume();
    if (answer === 'close') return void socket.end();
    if (answer !== undefined) return void socket.end(`${answer}\r\n\r\n`);
    const { hostname, port } = new URL(`http://${url}`);
    const upstream = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    asked,
    get openConnections() {
      return open.size;
    },
    async requestArrives(count) {
      while (asked.length < count) await once(server, 'asked');
    },
    async allClose() {
      while (open.size > 0) await once(server, 'closed');
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
