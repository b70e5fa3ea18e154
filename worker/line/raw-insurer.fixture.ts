import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { SendPermit } from './send-permit.ts';

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  /** names in lower case */
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  /** resolves when its connection has closed */
  readonly closed: Promise<void>;
}

/** An insurer for tests that answers with raw bytes and records overlaps, closed connections, and connections without requests. */
export interface RawInsurer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly seen: readonly RawRequest[];
  readonly connections: number;
  readonly openConnections: number;
  /** number of requests that arrived before the previous one was answered (`answer` resolved) or its connection closed */
  readonly overlaps: number;
  /** resolves with the request of this number */
  requestArrives(count: number): Promise<RawRequest>;
  connectionArrives(count: number): Promise<void>;
  /** resolves once no connection is open */
  allClose(): Promise<void>;
}

/** Starts the insurer. @param answer writes to the socket and resolves when the answer is complete; by default, requests hang */
export async function startRawInsurer(
  answer: (request: RawRequest, number: number) => void | Promise<void> = () => new Promise(() => {}),
): Promise<RawInsurer> {
  const seen: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const inFlight = new Set<RawRequest>();
  const counts = { connections: 0, overlaps: 0 };
  const server: Server = createServer((socket) => {
    counts.connections += 1;
    sockets.add(socket);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve())); // `once` of node:events would reject after a reset
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      for (const request of inFlight) if (request.socket === socket) inFlight.delete(request);
      server.emit('closed');
    });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const [first = '', ...lines] = text.slice(0, end).split('\r\n');
        const headers = Object.fromEntries(
          lines.map((line) => [
            line.slice(0, line.indexOf(':')).toLowerCase(),
            line.slice(line.indexOf(':') + 1).trim(),
          ]),
        );
        const bodyEnd = end + 4 + Number(headers['content-length'] ?? 0);
        if (text.length < bodyEnd) return;
        const body = text.slice(end + 4, bodyEnd);
        text = text.slice(bodyEnd);
        const [method = '', path = ''] = first.split(' ');
        const request = { method, path, body, headers, socket, closed };
        if (inFlight.size > 0) counts.overlaps += 1;
        inFlight.add(request);
        seen.push(request);
        server.emit('asked');
        void Promise.resolve(answer(request, seen.length)).then(() => inFlight.delete(request));
      }
    });
    server.emit('connected');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    seen,
    get connections() {
      return counts.connections;
    },
    get openConnections() {
      return sockets.size;
    },
    get overlaps() {
      return counts.overlaps;
    },
    async requestArrives(count) {
      while (seen.length < count) await once(server, 'asked');
      return seen[count - 1] as RawRequest;
    },
    async connectionArrives(count) {
      while (counts.connections < count) await once(server, 'connected');
    },
    async allClose() {
      while (sockets.size > 0) await once(server, 'closed');
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Returns a complete answer with Content-Length. */
export function httpAnswer(status: number, body: string | Buffer = '', headers: Record<string, string> = {}): Buffer {
  const bytes = Buffer.from(body);
  const lines = Object.entries({ 'content-length': String(bytes.length), ...headers }).map(
    ([k, v]) => `${k}: ${v}\r\n`,
  );
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n`), bytes]);
}

/** A send permit that is open until the test closes it. */
export interface TestPermit
  extends Pick<
    SendPermit,
    | 'isOpen'
    | 'maySend'
    | 'whenMaySend'
    | 'leaseNumber'
    | 'liftNumber'
    | 'begin'
    | 'guard'
    | 'startCooldown'
    | 'pauseBySystem'
  > {
  close(): void;
  open(): void;
  /** as if an operator had lifted a cooldown */
  lift(): void;
  /** aborts the request in flight, as at the end of a lease */
  abort(): Promise<void>;
  /** such as `retry-after 60 s` */
  readonly cooldowns: readonly string[];
  readonly pauses: readonly string[];
  readonly ends: readonly { readonly needsRest: boolean }[];
}

export function testPermit(): TestPermit {
  let isOpen = true;
  let lifts = 0;
  let aborting: (() => Promise<void>) | undefined;
  const gate = new EventTarget();
  const cooldowns: string[] = [];
  const pauses: string[] = [];
  const ends: { needsRest: boolean }[] = [];
  return {
    leaseNumber: 1_764_000_000_000,
    get liftNumber() {
      return lifts;
    },
    lift() {
      lifts += 1;
    },
    cooldowns,
    pauses,
    ends,
    isOpen: () => isOpen,
    maySend: () => isOpen,
    guard() {},
    async whenMaySend(signal) {
      while (!isOpen)
        await new Promise<void>((resolve, reject) => {
          signal.throwIfAborted();
          gate.addEventListener('open', () => resolve(), { once: true });
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
    },
    begin(abort) {
      if (aborting) throw new Error('two requests at the same time');
      aborting = abort;
      return (end) => {
        aborting = undefined;
        ends.push(end);
      };
    },
    async startCooldown(forMs, reason) {
      cooldowns.push(`${reason} ${forMs / 1000} s`);
    },
    async pauseBySystem(reason) {
      pauses.push(reason);
      isOpen = false;
    },
    close() {
      isOpen = false;
    },
    open() {
      isOpen = true;
      gate.dispatchEvent(new Event('open'));
    },
    async abort() {
      await aborting?.();
    },
  };
}
