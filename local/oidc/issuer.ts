import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import Provider, { type Configuration } from 'oidc-provider';
import { claimsOf, demoUsers } from './demo-users.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { languageOf, loginPage, logoutPage } from './login-page.ts';

export interface IssuerSpec {
  readonly port: number;
  readonly keys: IssuerKeys;
  /** `aud` of access tokens */
  readonly audience: string;
  readonly consoleOrigin: string;
  /** lifetime of an access token in seconds */
  readonly tokenSeconds: number;
}

/** Resource of all tokens (RFC 8707). */
const resource = 'urn:epa-sync:api';
const loginPath = '/login/';

/**
 * Starts an OIDC issuer with one demo user for each role. The console uses the authorization code flow with PKCE, and
 * users
 * sign in by one click. The command line uses client credentials with one client per user, without browser or password.
 * The client secret is in LOCAL_DIR, so only the user who started the stack can get a token.
 */
export async function openIssuer(spec: IssuerSpec): Promise<Server> {
  const issuer = `http://127.0.0.1:${spec.port}`;
  const provider: Provider = new Provider(issuer, configurationOf(spec));
  const answerOidc = provider.callback() as RequestListener;
  const server = createServer((request, response) => {
    // any other host name is DNS rebinding by a foreign page
    if (request.headers.host !== new URL(issuer).host) response.writeHead(421).end();
    else if (!request.url?.startsWith(loginPath)) answerOidc(request, response);
    else
      void logIn(provider, spec, request, response).catch(() =>
        response.writeHead(400).end('no login is in progress\n'),
      );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(spec.port, '127.0.0.1', resolve));
  return server;
}

async function logIn(
  provider: Provider,
  { consoleOrigin }: IssuerSpec,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response);
  const accountId = request.method === 'POST' ? new URLSearchParams(await text(request)).get('sub') : null;
  if (accountId !== null && claimsOf(accountId)) {
    await provider.interactionFinished(request, response, { login: { accountId } });
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; form-action 'self' ${consoleOrigin}; frame-ancestors 'none'; base-uri 'none'`,
    'x-content-type-options': 'nosniff',
  });
  response.end(loginPage(`${loginPath}${uid}`, languageOf(request.headers['accept-language'])));
}

const configurationOf = ({ keys, audience, consoleOrigin, tokenSeconds }: IssuerSpec): Configuration => ({
  jwks: { keys: [keys.signingKey] },
  cookies: { keys: [keys.cookieKey] },
  clients: [
    {
      client_id: 'console',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${consoleOrigin}/`],
      post_logout_redirect_uris: [`${consoleOrigin}/`],
    },
    ...Object.values(demoUsers).map(({ sub }) => ({
      client_id: sub,
      client_secret: keys.clientSecret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    })),
  ],
  clientBasedCORS: (_ctx, origin) => origin === consoleOrigin,
  findAccount: (_ctx, sub) => {
    const claims = claimsOf(sub);
    return claims && { accountId: sub, claims: async () => claims };
  },
  claims: { openid: ['sub'], profile: ['name', 'roles'] },
  conformIdTokenClaims: false, // the console shows the user without another request
  extraTokenClaims: (_ctx, token) => {
    const { name, roles } = claimsOf(('accountId' in token && token.accountId) || (token.clientId ?? '')) ?? {};
    return { name, roles };
  },
  pkce: { required: () => true },
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'), // the console renews its tokens silently
  // no consent page: the click is the consent
  loadExistingGrant: async ({ oidc }) => {
    const { provider, client, session } = oidc;
    const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
  interactions: { url: (_ctx, { uid }) => `${loginPath}${uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        const nonce = randomBytes(16).toString('base64');
        ctx.set(
          'content-security-policy',
          `default-src 'none'; script-src 'nonce-${nonce}'; form-action 'self' ${consoleOrigin}; frame-ancestors 'none'; base-uri 'none'`,
        );
        ctx.body = logoutPage(form, nonce, languageOf(ctx.get('accept-language')));
      },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: '',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: tokenSeconds,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});
