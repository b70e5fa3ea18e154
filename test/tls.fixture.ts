import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';

export interface TlsFront extends AsyncDisposable {
  /** not a loopback name, so that clients use TLS by default */
  readonly address: string;
  /** certificate of the authority, in PEM */
  readonly ca: string;
  /** certificate and key of an accepted client, in PEM */
  readonly client: { readonly cert: string; readonly key: string };
  /** Resolves after this many connections, accepted or not. */
  visited(times: number): Promise<void>;
}

const day = 86_400_000;

/**
 * Starts a TLS proxy in front of a server without TLS. Its certificate comes from a new authority.
 * @param upstream host:port of the server
 * @param protocol protocol inside TLS
 * @param requiresCertificate rejects clients without a certificate of the same authority, like Temporal Cloud with mTLS
 */
export async function openTlsFront(
  upstream: string,
  protocol: 'h2' | 'http/1.1',
  requiresCertificate: boolean,
): Promise<TlsFront> {
  const terms = {
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - day),
    notAfterDate: new Date(Date.now() + day),
  };
  const authority = await generate([{ name: 'commonName', value: 'epa-sync test authority' }], {
    ...terms,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const signed = async (commonName: string, extensions: Parameters<typeof generate>[1]) =>
    await generate([{ name: 'commonName', value: commonName }], {
      ...terms,
      ...extensions,
      ca: { key: authority.private, cert: authority.cert },
    });
  const server = await signed('temporal', {
    extensions: [
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '0.0.0.0' }] },
      { name: 'extKeyUsage', serverAuth: true },
    ],
  });
  const client = await signed('epa-sync', { extensions: [{ name: 'extKeyUsage', clientAuth: true }] });
  const [host, port = ''] = upstream.split(':');
  const open = new Set<TLSSocket>();
  const front = createServer(
    {
      key: server.private,
      cert: server.cert,
      ca: authority.cert,
      requestCert: requiresCertificate,
      rejectUnauthorized: requiresCertificate,
      ALPNProtocols: [protocol],
    },
    (socket) => {
      open.add(socket);
      const peer = connect(Number(port), host);
      socket.pipe(peer).pipe(socket);
      const end = () => {
        open.delete(socket);
        socket.destroy();
        peer.destroy();
      };
      for (const each of [socket, peer]) each.on('error', end).on('close', end);
    },
  );
  let visits = 0;
  const visiting = new EventEmitter();
  front.on('connection', () => visiting.emit('visit', ++visits));
  front.on('tlsClientError', () => {}); // clients that were rejected, or that reject the certificate
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const bound = front.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    address: `0.0.0.0:${bound.port}`,
    ca: authority.cert,
    client: { cert: client.cert, key: client.private },
    async visited(times) {
      while (visits < times) await once(visiting, 'visit');
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => front.close(resolve));
    },
  };
}
