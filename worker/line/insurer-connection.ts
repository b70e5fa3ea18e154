import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type buildConnector, Client, type Dispatcher } from 'undici';

/** HTTP/1.1 over one socket at a time, which is opened when it is needed. */
export interface InsurerConnection {
  /** Sends a request once a socket is connected; tells the handler of it as undici does. */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** the last socket that was opened */
  readonly socket: Pick<Socket, 'bytesRead' | 'closed' | 'destroyed' | 'destroy' | 'once'> | undefined;
  /** Closes the socket. A request under way fails. */
  destroy(): Promise<void>;
}

/**
 * @param origin scheme, host and port of the insurer
 * @param connectMs a socket that is not connected after so long is destroyed
 */
export type OpenConnection = (origin: string, connectMs: number) => InsurerConnection;

/** An idle connection older than this is not trusted: a modem line forgets them. */
const idleMsMax = 4_000;

/** By undici, which frames and parses, but has no deadline of its own: those are the exchange's. */
export const openInsurerConnection: OpenConnection = (origin, connectMs) => {
  let socket: Socket | undefined;
  const client = new Client(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleMsMax,
    keepAliveMaxTimeout: idleMsMax,
    connect: (options, callback) => {
      socket = connectSocket(options, connectMs, callback);
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

/** A socket that is connected (over TLS: and trusted) when the callback gets it; destroyed after connectMs otherwise. */
function connectSocket(
  { protocol, hostname, port, servername }: buildConnector.Options,
  connectMs: number,
  callback: buildConnector.Callback,
): Socket {
  const address = { host: hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80), noDelay: true };
  const socket =
    protocol === 'https:'
      ? connectTls({ ...address, servername: servername ?? hostname, ALPNProtocols: ['http/1.1'] })
      : connectTcp(address);
  const deadline = setTimeout(() => socket.destroy(new ConnectTimeout()), connectMs);
  let told = false;
  const tell = (error?: Error): void => {
    clearTimeout(deadline);
    if (told) return; // undici listens from there on
    told = true;
    if (error === undefined) callback(null, socket);
    else callback(error, null);
  };
  socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => tell());
  socket.on('error', tell);
  socket.once('close', () => tell(new Error('closed while connecting')));
  return socket;
}

class ConnectTimeout extends Error {
  override readonly name = 'ConnectTimeout';
}
