import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { generate } from 'selfsigned';

export interface TlsFront extends AsyncDisposable {
  /** not on loopback by its name, so that whoever comes there speaks TLS by itself */
  readonly address: string;
  /** PEM: whom to trust */
  readonly ca: string;
  /** PEM: a client that is let in */
  readonly client: { readonly cert: string; readonly key: string };
}

const day = 86_400_000;

/** What Temporal Cloud has before its namespaces: TLS, and nobody is let in without a certificate of our authority. */
export async function openTlsFront(temporalAddress: string): Promise<TlsFront> {
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
  const [host, port = ''] = temporalAddress.split(':');
  const open = new Set<TLSSocket>();
  const front = createServer(
    {
      key: server.private,
      cert: server.cert,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
    },
    (socket) => {
      open.add(socket);
      const behind = connect(Number(port), host);
      socket.pipe(behind).pipe(socket);
      const end = () => {
        open.delete(socket);
        socket.destroy();
        behind.destroy();
      };
      for (const each of [socket, behind]) each.on('error', end).on('close', end);
    },
  );
  front.on('tlsClientError', () => {}); // who was not let in
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const bound = front.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    address: `0.0.0.0:${bound.port}`,
    ca: authority.cert,
    client: { cert: client.cert, key: client.private },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => front.close(resolve));
    },
  };
}
