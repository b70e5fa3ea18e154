import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Exchange, resetNow } from './exchange.ts';
import type { LineLog } from './log.ts';
import { type ParsedRequest, parseRequest } from './request-head.ts';

const maxHeadBytes = 64 * 1024;

export interface LinePortOptions {
  log: LineLog;
  token: string;
  /** Answers one request. Resolves when the exchange has ended. */
  answer(exchange: Exchange, request: ParsedRequest): Promise<void>;
}

/**
 * The insurer's end of the line. It implements HTTP/1.1 on plain sockets. The judge must see the first byte of a request and
 * the last byte of an answer. A fault must be able to break an answer at any byte.
 */
export class LinePort {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #options: LinePortOptions;
  #connections = 0;
  #connectionsToRefuse = 0;
  #reopening: NodeJS.Timeout | undefined;
  #port = 0;

  constructor(options: LinePortOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Starts to listen. @returns the port @throws the system's error if the port is in use */
  async listen(port: number): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : port;
    return this.#port;
  }

  /** Refuses the next connection at accept, or all connections while the listener is closed for this time. */
  refuseNext(closedForMs: number): void {
    if (closedForMs <= 0) this.#connectionsToRefuse += 1;
    else if (this.#reopening === undefined) {
      this.#server.close();
      this.#reopening = setTimeout(() => {
        this.#reopening = undefined;
        this.#server.listen(this.#port, '127.0.0.1');
      }, closedForMs);
    }
  }

  acceptConnections(): void {
    this.#connectionsToRefuse = 0;
  }

  /** Resets every connection. */
  resetConnections(): void {
    for (const socket of this.#sockets) resetNow(socket);
  }

  async close(): Promise<void> {
    clearTimeout(this.#reopening);
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    if (this.#connectionsToRefuse > 0) {
      this.#connectionsToRefuse -= 1;
      this.#options.log.refusedConnection();
      socket.on('error', () => undefined);
      resetNow(socket);
      return;
    }
    this.#connections += 1;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    serveConnection(socket, this.#connections, this.#options);
  }
}

function serveConnection(socket: Socket, connection: number, { log, token, answer }: LinePortOptions): void {
  let received = Buffer.alloc(0);
  let reading: Exchange | undefined; // a request whose head is incomplete
  const waiting: { exchange: Exchange; request: ParsedRequest }[] = []; // more than one only if the client pipelines
  let isAnswering = false;
  const open = new Set<Exchange>();

  const answerInOrder = async (): Promise<void> => {
    if (isAnswering) return;
    isAnswering = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      await answer(next.exchange, next.request);
      open.delete(next.exchange);
    }
    isAnswering = false;
  };

  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    while (received.length > 0) {
      if (reading === undefined) {
        reading = new Exchange(socket, log, log.begin(connection));
        open.add(reading);
      }
      const end = received.indexOf('\r\n\r\n');
      if (end < 0 && received.length < maxHeadBytes) return;
      const request = parseRequest(received.subarray(0, Math.max(0, end)).toString('latin1'), token);
      received = request.hasBody || end < 0 ? Buffer.alloc(0) : received.subarray(end + 4);
      log.setHead(reading.entry, request.head);
      const exchange = reading;
      reading = undefined;
      if (socket.writableEnded || end < 0) {
        void exchange.reset(end < 0 ? 'head-too-large' : 'connection-was-closed');
        return;
      }
      waiting.push({ exchange, request });
      void answerInOrder();
    }
  });
  const onClosed = (): void => {
    for (const exchange of open) exchange.abandon();
    open.clear();
    waiting.length = 0;
    if (!socket.destroyed) socket.destroy(); // a client that closes its half gets no further answer
  };
  socket.on('end', onClosed);
  socket.on('error', onClosed);
  socket.on('close', onClosed);
}
