import { request as httpRequest } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** How the insurer is reached. */
export interface InsurerRoute {
  /** certificate of this client, with its chain, and its private key, in PEM (INSURER_CLIENT_CERT, INSURER_CLIENT_KEY) */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** the authorities that may sign the insurer's certificate, in PEM, in place of those that Node.js trusts (INSURER_CA) */
  readonly ca?: string | undefined;
  /** `http://[user:password@]host[:port]` of a proxy that is asked to CONNECT (INSURER_PROXY_URL) */
  readonly proxyUrl?: string | undefined;
}

/** No connection to the insurer. The problem is fixed words or a code, such as `ECONNREFUSED` or `proxy answered 407`. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly problem: string;
  constructor(problem: string) {
    super(problem);
    this.problem = problem;
  }
}

/**
 * Opens a connection to the insurer: TCP, then the tunnel of the proxy (RFC 9110, 9.3.6), then TLS with the insurer. Destroys
 * it if all of this takes longer than connectMs.
 * @param origin scheme, host and port of the insurer
 * @param onSocket receives the outermost socket, whenever that changes. Destroying it closes the connection
 * @throws ConnectError; the error with which somebody else destroyed the socket
 */
export async function openSocket(
  origin: URL,
  { cert, key, ca, proxyUrl }: InsurerRoute,
  connectMs: number,
  onSocket: (socket: Socket) => void,
): Promise<Socket> {
  const isTls = origin.protocol === 'https:';
  const insurer = addressOf(origin, isTls ? 443 : 80);
  const proxy = proxyUrl === undefined ? undefined : new URL(proxyUrl);
  let step = proxy === undefined ? 'connect' : 'connect to proxy';
  let socket: Socket = connectTcp({
    ...(proxy === undefined ? insurer : addressOf(proxy, 80)),
    noDelay: true,
    // of several addresses the first may not answer, such as one of IPv6 without a route (RFC 8305). Node's 250 ms are too
    // short for a modem: each address gets a third of the time. Node takes 10 ms for anything less
    autoSelectFamilyAttemptTimeout: Math.ceil(connectMs / 3),
  });
  socket.on('error', () => {}); // `until` and the connection report it
  onSocket(socket);
  const deadline = setTimeout(() => socket.destroy(new ConnectError(`${step}: no answer in time`)), connectMs);
  try {
    await until(socket, 'connect');
    if (proxy !== undefined) {
      step = 'proxy';
      await openTunnel(socket, proxy, insurer);
    }
    if (isTls) {
      step = 'TLS';
      const servername = isIP(insurer.host) === 0 ? insurer.host : ''; // RFC 6066, 3: no IP addresses
      socket = connectTls({ socket, host: insurer.host, servername, ALPNProtocols: ['http/1.1'], cert, key, ca });
      socket.on('error', () => {});
      onSocket(socket);
      await until(socket, 'secureConnect');
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** @param defaultPort the scheme's port, which URL leaves out */
const addressOf = ({ hostname, port }: URL, defaultPort: number): Address => ({
  host: hostname.replace(/^\[|\]$/g, ''), // of IPv6
  port: Number(port) || defaultPort,
});

/** Asks a proxy for a tunnel to an address. */
function openTunnel(socket: Socket, { username, password }: URL, { host, port }: Address): Promise<void> {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return new Promise((resolve, reject) => {
    const connect = httpRequest({
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        connection: 'keep-alive',
        ...(username !== '' && { 'proxy-authorization': `Basic ${credentials}` }),
      },
      createConnection: () => socket,
    });
    connect.once('connect', ({ statusCode = 0 }, _socket, unrequested) => {
      if (statusCode < 200 || statusCode > 299) reject(new ConnectError(`proxy answered ${statusCode}`));
      else if (unrequested.length > 0) reject(new ConnectError('proxy: unrequested bytes'));
      else resolve();
    });
    connect.on('error', (error) =>
      reject(isOwn(socket.errored) ? socket.errored : new ConnectError(`proxy: ${codeOf(error)}`)),
    );
    connect.end();
  });
}

/** Resolves at an event. @throws ConnectError, or the error with which we destroyed the socket, if it closes before */
const until = (socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', (error) => reject(isOwn(error) ? error : new ConnectError(codeOf(error))));
    socket.once('close', () => reject(new ConnectError('closed while connecting')));
  });

/** Whether an error is ours: those of Node.js have a code. */
const isOwn = (error: Error | null): error is Error => error !== null && !('code' in error);

/** Returns the code of an error of Node.js, such as `ECONNRESET`. Its message may quote bytes of the insurer. */
export const codeOf = (error: Error): string =>
  'code' in error && typeof error.code === 'string' ? error.code : error.name;
