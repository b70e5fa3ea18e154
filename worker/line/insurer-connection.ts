import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type buildConnector, Client, type Dispatcher } from 'undici';
import { LineWithheld } from './line-error.ts';

/** HTTP/1.1 over one socket at a time, which is opened on demand. */
export interface InsurerConnection {
  /** Sends a request once a socket is connected. Calls the handler as undici does. */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** the socket that was opened last */
  readonly socket: Pick<Socket, 'bytesRead' | 'closed' | 'destroyed' | 'destroy' | 'errored' | 'once'> | undefined;
  /** Closes the socket. A request in flight fails. */
  destroy(): Promise<void>;
}

/**
 * @param origin scheme, host and port of the insurer
 * @param connectMs time limit for connecting, after which the socket is destroyed
 * @param mayConnect whether a socket may be opened now. Otherwise the request fails with LineWithheld
 */
export type OpenConnection = (origin: string, connectMs: number, mayConnect: () => boolean) => InsurerConnection;

/** Time in ms after which an idle connection is not reused, because a modem line drops them silently. */
const idleMsMax = 4_000;

/** Opens a connection with undici, without undici's timeouts: the exchange has its own. */
export const openInsurerConnection: OpenConnection = (origin, connectMs, mayConnect) => {
  let socket: Socket | undefined;
  const client = new Client(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleMsMax,
    keepAliveMaxTimeout: idleMsMax,
    connect: (options, callback) => {
      // undici also connects by itself, when the insurer closes an idle socket before the next request is written.
      if (mayConnect()) socket = connectSocket(options, connectMs, callback);
      else queueMicrotask(() => callback(new LineWithheld(false), null));
    },
  });
  return {
    dispatch: (request, handler) => void client.dispatch(request, handler),
    get socket() {
      return socket;
    },
    destroy: () => client.destroy(),
  };
};

/** Opens a socket. Calls back once it is connected, with TLS verified. Destroys it after connectMs otherwise. */
function connectSocket(
  { protocol, hostname, port, servername }: buildConnector.Options,
  connectMs: number,
  callback: buildConnector.Callback,
): Socket {
  const address = {
    host: hostname,
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    noDelay: true,
    // of several addresses the first may not answer, such as one of IPv6 without a route (RFC 8305). Node's 250 ms are too
    // short for a modem: each address gets a third of the time
    autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(connectMs / 3)),
  };
  const socket =
    protocol === 'https:'
      ? connectTls({ ...address, servername: servername ?? hostname, ALPNProtocols: ['http/1.1'] })
      : connectTcp(address);
  const deadline = setTimeout(() => socket.destroy(new ConnectTimeout()), connectMs);
  let isSettled = false;
  const settle = (error?: Error): void => {
    clearTimeout(deadline);
    if (isSettled) return; // undici handles later errors itself
    isSettled = true;
    if (error === undefined) callback(null, socket);
    else callback(error, null);
  };
  socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => settle());
  socket.on('error', settle);
  socket.once('close', () => settle(new Error('closed while connecting')));
  return socket;
}

class ConnectTimeout extends Error {
  override readonly name = 'ConnectTimeout';
}
