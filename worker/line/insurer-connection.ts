import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LineWithheld } from './line-error.ts';
import { ConnectError, codeOf, type InsurerRoute, openSocket } from './open-socket.ts';

/** HTTP/1.1 over one socket at a time, which is opened on demand. It repeats no request and follows no redirect. */
export interface InsurerConnection {
  /**
   * Sends a request once a socket is connected. Must not be called before the answer to the last request has ended, nor while a
   * destroyed socket has not closed.
   */
  send(request: ConnectionRequest, handler: AnswerHandler): void;
  /** the socket that was opened last, also while it connects */
  readonly socket: Pick<Socket, 'bytesRead' | 'closed' | 'destroyed' | 'destroy' | 'once'> | undefined;
}

export interface ConnectionRequest {
  /** GET by default */
  readonly method?: 'GET' | 'POST';
  /** path and query, percent-encoded */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Follows one request. Calls come in this order, and end with `onEnd` or `onFailure`. */
export interface AnswerHandler {
  /**
   * Called once, in the tick in which the request is written, on a new socket and on an idle one.
   * @returns whether it may be written. Otherwise the socket is destroyed, and the request fails
   */
  mayWrite(): boolean;
  /** Called for each interim answer: 1xx, except 101, which fails (RFC 9110, 15.2). */
  onInterim(): void;
  /**
   * @param headers names in lower case; repeated headers are joined with `, `
   * @param resume continues after `onData` has returned false
   */
  onHeaders(status: number, headers: Readonly<Record<string, string>>, resume: () => void): void;
  /** @returns whether more may be read from the socket now */
  onData(chunk: Buffer): boolean;
  /** Called when the answer is complete and all its data was handed over. The socket is idle and clean, or destroyed. */
  onEnd(): void;
  /** Called when the request was not sent, or its answer is not complete. The socket is destroyed, if there is one. */
  onFailure(error: ConnectError | ConnectionFailure | LineWithheld): void;
}

/** not-http: the answer is not HTTP, or switches protocols; closed: closed in order; broken: reset, or another error */
type FailureKind = 'not-http' | 'closed' | 'broken';

/** An answer that did not arrive whole. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  readonly kind: FailureKind;
  /** a code or fixed words, such as `ECONNRESET` or `HPE_INVALID_CHUNK_SIZE` */
  readonly problem: string;
  constructor(kind: FailureKind, problem: string) {
    super(problem);
    this.kind = kind;
    this.problem = problem;
  }
}

/**
 * @param origin scheme, host and port of the insurer
 * @param connectMs time limit for connecting, after which the socket is destroyed
 * @param mayConnect whether a socket may be opened now. Otherwise the request fails with LineWithheld
 */
export type OpenConnection = (origin: string, connectMs: number, mayConnect: () => boolean) => InsurerConnection;

/** Time in ms after which an idle connection is not reused, because a modem line drops them silently. */
const idleMsMax = 4_000;
/** Maximum size of the head of an answer. */
const headBytesMax = 64 * 1024;
/** Time in ms by which we close an idle connection before the insurer does, if it has said when (`Keep-Alive: timeout`). */
const idleMarginMs = 1_000;

/**
 * Returns a function that opens connections with node:http, which frames and parses. This file opens, keeps and closes the
 * socket. The parser is the lenient one: what other clients accept must not be refused for ever
 * (docs/adr/0046-node-http-and-one-socket.md).
 */
export const connectionsVia =
  (route: InsurerRoute): OpenConnection =>
  (origin, connectMs, mayConnect) => {
    const insurer = new URL(origin);
    let socket: Socket | undefined;
    let isIdle = false;
    let cancelIdle = (): void => {};

    function send(request: ConnectionRequest, handler: AnswerHandler): void {
      if (isIdle && socket !== undefined && !socket.destroyed) write(socket, request, handler);
      else if (socket !== undefined && !socket.closed) throw new Error('the last socket is still open');
      else if (!mayConnect()) queueMicrotask(() => handler.onFailure(new LineWithheld(false)));
      else
        openSocket(insurer, route, connectMs, (opened) => {
          socket = opened;
        }).then(
          (opened) => {
            closeUnlessAsked(opened);
            try {
              write(opened, request, handler);
            } catch (error) {
              opened.destroy();
              handler.onFailure(new ConnectError(codeOf(error as Error))); // such as ERR_INVALID_CHAR of a header: nothing was sent
            }
          },
          (error) => handler.onFailure(error),
        );
    }

    /** Closes an idle socket at any byte, and when the insurer closes its side. */
    function closeUnlessAsked(open: Socket): void {
      const close = (): void => void (isIdle && open.destroy());
      open.on('data', close);
      open.on('end', close);
      open.once('close', () => cancelIdle());
    }

    function becomeIdle(open: Socket, idleMs: number): void {
      isIdle = true;
      const timer = setTimeout(() => open.destroy(), idleMs);
      cancelIdle = () => clearTimeout(timer);
    }

    function write(
      open: Socket,
      { method = 'GET', path, headers, body }: ConnectionRequest,
      handler: AnswerHandler,
    ): void {
      isIdle = false;
      cancelIdle();
      let answer: IncomingMessage | undefined;
      let notHttp: ConnectionFailure | undefined;
      let isReleased = false;
      let isSettled = false;

      const request = httpRequest({
        method,
        path,
        headers: { host: insurer.host, connection: 'keep-alive', ...headers },
        createConnection: () => open,
        insecureHTTPParser: true,
        maxHeaderSize: headBytesMax,
      });
      request.once('socket', () => {
        // `end` writes the whole request before it returns.
        if (!open.destroyed && handler.mayWrite()) request.end(body);
        else open.destroy();
      });
      request.on('information', () => handler.onInterim());
      // node:http gives a 101 without `Upgrade` as an answer that is complete. The real one may follow it
      const refuseUpgrade = (): void => {
        notHttp = new ConnectionFailure('not-http', 'status 101'); // we never ask for another protocol (RFC 9110, 7.8)
        open.destroy();
      };
      request.once('upgrade', refuseUpgrade);
      request.once('response', (begun) => {
        if (begun.statusCode === 101) return refuseUpgrade();
        answer = begun;
        begun.on('error', () => {}); // `settle` reports it
        begun.on('data', (chunk: Buffer) => {
          if (!handler.onData(chunk)) begun.pause();
        });
        begun.once('end', settle);
        handler.onHeaders(begun.statusCode ?? 0, joinedHeaders(begun), () => begun.resume());
      });
      request.on('error', (error) => {
        const code = codeOf(error);
        if (code.startsWith('HPE_')) notHttp ??= new ConnectionFailure('not-http', code);
      });
      request.once('close', () => {
        isReleased = true;
        settle();
      });

      /** Ends the request once node:http has let go of the socket, and the handler has all data of a complete answer. */
      function settle(): void {
        if (!isReleased || isSettled) return;
        if (answer?.complete && !(open.errored && endsWithConnection(answer))) {
          if (!answer.readableEnded) return;
          isSettled = true;
          const idleMs = idleMsOf(answer.headers['keep-alive']);
          if (!open.writable || idleMs <= 0 || hasTwoLengths(answer)) open.destroy();
          else becomeIdle(open, idleMs);
          setImmediate(() => handler.onEnd()); // first read whether the insurer closes the connection without having said so
          return;
        }
        isSettled = true;
        open.destroy();
        handler.onFailure(notHttp ?? failureOf(open.errored, answer));
      }
    }

    return {
      send,
      get socket() {
        return socket;
      },
    };
  };

function failureOf(error: Error | null, answer: IncomingMessage | undefined): ConnectionFailure | LineWithheld {
  if (error instanceof LineWithheld) return error; // we have closed the socket
  if (error !== null) return new ConnectionFailure('broken', codeOf(error));
  return new ConnectionFailure('closed', answer === undefined ? 'no answer' : 'answer incomplete');
}

/** Returns whether the end of a body is the end of its connection (RFC 9112, 6.3). node:http takes a reset for it, too. */
export const endsWithConnection = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['content-length'] === undefined && !/\bchunked\b/i.test(headers['transfer-encoding'] ?? '');

/** Returns whether two headers say where the answer ends. Then more of it may follow (RFC 9112, 6.3). */
const hasTwoLengths = ({ headers }: IncomingMessage): boolean =>
  headers['content-length'] !== undefined && headers['transfer-encoding'] !== undefined;

const joinedHeaders = ({ headersDistinct }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(', ')]));

/** @param keepAlive `timeout=5, max=100`, or a list of such */
function idleMsOf(keepAlive: string | string[] | undefined): number {
  const [, seconds] = /\btimeout=(\d{1,6})\b/i.exec(String(keepAlive ?? '')) ?? [];
  return seconds === undefined ? idleMsMax : Math.min(idleMsMax, Number(seconds) * 1_000 - idleMarginMs);
}
