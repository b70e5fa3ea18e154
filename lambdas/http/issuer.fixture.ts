import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export const audience = 'epa-sync-api';

/** An OIDC issuer on loopback, with discovery, keys and any kind of token. */
export interface Issuer {
  readonly url: string;
  /** Signs a token. @param algorithm of the signing key */
  sign(claims: JWTPayload, algorithm?: 'RS256' | 'ES256' | 'PS256'): Promise<string>;
  /** Takes a key out of the published set. */
  revoke(algorithm: 'RS256' | 'ES256' | 'PS256'): void;
  /** Publishes a set of other keys. */
  publish(others: readonly JWK[]): void;
  stop(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  const algorithms = ['RS256', 'ES256', 'PS256'] as const;
  const pairs = await Promise.all(algorithms.map((algorithm) => generateKeyPair(algorithm, { extractable: true })));
  let keys: readonly JWK[] = await Promise.all(
    pairs.map(async ({ publicKey }, index) => ({
      ...(await exportJWK(publicKey)),
      kid: String(algorithms[index]),
      use: 'sig',
    })),
  );
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    } else if (request.url === '/keys') {
      response.end(JSON.stringify({ keys }));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async sign(claims, algorithm = 'RS256') {
      const pair = pairs[algorithms.indexOf(algorithm)];
      if (pair === undefined) throw new Error('no such key');
      const nowSeconds = Math.floor(Date.now() / 1000);
      return await new SignJWT({ iss: url, aud: audience, iat: nowSeconds, exp: nowSeconds + 300, ...claims })
        .setProtectedHeader({ alg: algorithm, kid: algorithm })
        .sign(pair.privateKey);
    },
    revoke: (algorithm) => {
      keys = keys.filter(({ kid }) => kid !== algorithm);
    },
    publish: (others) => {
      keys = others;
    },
    stop: async () => {
      if (!server.listening) return;
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
