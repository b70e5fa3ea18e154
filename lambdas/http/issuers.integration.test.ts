import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { JWTPayload } from 'jose';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { createIssuerKeysStore, type IssuerKeysStore } from '../../core/stores/issuer-keys.ts';
import { audience, type Issuer, startIssuer } from './issuer.fixture.ts';
import { createTokenCipher } from './token-cipher.ts';
import { createTokenVerifier, type VerifyToken } from './tokens.ts';

const hourMs = 3_600_000;
const s3 = new S3Client({ region: process.env['AWS_REGION'] ?? '' });
const bucket = `issuers-${process.pid}`; // of its own, because other tests keep keys in that of the stack
const store = createIssuerKeysStore({ s3, name: bucket });
beforeAll(async () => {
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
});
const secret = Buffer.alloc(32, 1).toString('base64');

let issuer: Issuer;
let reports: string[];
beforeEach(async () => {
  issuer = await startIssuer();
  reports = [];
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await issuer.stop();
});

/** Creates the verifier of a container that has just started. */
const coldLambda = (
  { OIDC_AUDIENCE = [audience], OIDC_ROLES_CLAIM = 'roles' } = {},
  { pseudonymKey = secret, keys = store as IssuerKeysStore } = {},
): VerifyToken =>
  createTokenVerifier(
    { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE, OIDC_ROLES_CLAIM },
    { store: keys, cipher: createTokenCipher(pseudonymKey), report: (what) => reports.push(what) },
  );
const later = (ms: number) => vi.setSystemTime(Date.now() + ms);
const operator = { sub: 'olga', roles: ['operator'] };

test('while the issuer is away for hours, cold Lambdas and warm ones check tokens with its last keys', async () => {
  const warm = coldLambda();
  await warm(await issuer.sign(operator));
  await issuer.stop();
  later(11 * hourMs);
  for (const verify of [warm, coldLambda()])
    expect(await verify(await issuer.sign(operator))).toMatchObject({ who: 'olga', roles: ['operator'] });
  expect(reports).toEqual(['fetched', 'not fetched', 'not fetched']);
});

test('no key is used for more than 12 hours without its issuer', async () => {
  const warm = coldLambda();
  await warm(await issuer.sign(operator));
  await issuer.stop();
  later(11.8 * hourMs); // the last moment to read the kept set
  await warm(await issuer.sign(operator));
  later(0.2 * hourMs + 1_000);
  for (const verify of [warm, coldLambda()])
    await expect(verify(await issuer.sign(operator))).rejects.toMatchObject({
      problem: 'unavailable',
      details: { detail: expect.stringContaining('12 hours') },
    });
});

test('a key that the issuer has revoked is not used any more, even if the issuer goes away afterwards', async () => {
  await coldLambda()(await issuer.sign(operator));
  issuer.revoke('RS256');
  await coldLambda()(await issuer.sign(operator, 'ES256')); // any request after the rotation
  await issuer.stop();
  await expect(coldLambda()(await issuer.sign(operator))).rejects.toMatchObject({ problem: 'unauthenticated' });
});

test.each([
  ['no key', []],
  ['a key for encryption only', [{ kty: 'RSA', use: 'enc', n: 'AQAB', e: 'AQAB' }]],
  ['a key of another algorithm only', [{ kty: 'OKP', crv: 'Ed25519', x: 'AQAB' }]],
])('an issuer that publishes %s counts as away, and its last keys stay', async (_, others) => {
  await coldLambda()(await issuer.sign(operator));
  issuer.publish(others);
  for (
    let starts = 0;
    starts < 2;
    starts += 1 // the second one finds what the first one has left
  )
    expect(await coldLambda()(await issuer.sign(operator))).toMatchObject({ who: 'olga' });
  expect(reports).toEqual(['fetched', 'not fetched', 'not fetched']);
});

test('who can only write to the bucket cannot make a token valid', async () => {
  const forgers = { pseudonymKey: Buffer.alloc(32, 2).toString('base64') };
  await coldLambda({}, forgers)(await issuer.sign(operator)); // writes a set that is encrypted with another key
  await issuer.stop();
  await expect(coldLambda()(await issuer.sign(operator))).rejects.toMatchObject({ problem: 'unavailable' });
});

test('a bucket that fails delays no sign-in while the issuer answers', async () => {
  const keys: IssuerKeysStore = {
    put: () => Promise.reject(new Error('S3 is away')),
    get: () => Promise.reject(new Error('S3 is away')),
  };
  await expect(coldLambda({}, { keys })(await issuer.sign(operator))).resolves.toBeDefined();
  expect(reports).toEqual(['fetched', 'not kept']);
});

test('keys that would come without https are not fetched, if the issuer has https', async () => {
  const https = 'https://login.klinik.example';
  const fetched = vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(async () => Response.json({ issuer: https, jwks_uri: 'http://login.klinik.example/keys' }));
  onTestFinished(() => fetched.mockRestore());
  const verify = createTokenVerifier(
    { OIDC_ISSUER: https, OIDC_AUDIENCE: [audience], OIDC_ROLES_CLAIM: 'roles' },
    { store, cipher: createTokenCipher(secret), report: () => {} },
  );
  await expect(verify(await issuer.sign({ ...operator, iss: https }))).rejects.toMatchObject({
    problem: 'unavailable',
  });
  expect(fetched).toHaveBeenCalledTimes(1); // the discovery, and no keys
});

// Access tokens as real issuers make them (docs/operations/deploy.md, "Issuers"). `iss` and the times are those of the test.

test('Cognito: the access token has no aud, but the client ID', async () => {
  const client = '5k2b7qo4example';
  const verify = coldLambda({ OIDC_AUDIENCE: [client], OIDC_ROLES_CLAIM: 'cognito:groups' });
  const claims = {
    aud: undefined,
    sub: '3f1c8a0e-5b7d-4c11-9e57-0a1b2c3d4e5f',
    'cognito:groups': ['operator', 'eu-central-1_a1B2c3D4e_Klinik'],
    version: 2,
    client_id: client,
    token_use: 'access',
    scope: 'openid profile',
    username: 'olga',
  } as unknown as JWTPayload;
  expect(await verify(await issuer.sign(claims))).toEqual({ who: claims.sub, roles: ['operator'] });
  for (const wrong of [
    { client_id: 'another' },
    { token_use: undefined },
    { token_use: 'id', aud: client }, // the ID token, which the console must not send
  ])
    await expect(verify(await issuer.sign({ ...claims, ...wrong } as JWTPayload))).rejects.toMatchObject({
      problem: 'unauthenticated',
    });
});

test('Cognito: the token of a program names the client of the program, not of the console', async () => {
  const [console, program] = ['5k2b7qo4example', '7m9d3xw1example'];
  const verify = coldLambda({ OIDC_AUDIENCE: [console, program] });
  const client = (id: string) =>
    ({
      aud: undefined,
      sub: id, // a program has no user: client credentials, RFC 6749, 4.4
      token_use: 'access',
      scope: 'epa-sync/changes',
      version: 2,
      client_id: id,
      roles: ['integration'], // by the trigger before token generation
    }) as unknown as JWTPayload;
  expect(await verify(await issuer.sign(client(program)))).toEqual({ who: program, roles: ['integration'] });
  expect(await verify(await issuer.sign({ ...client(console), sub: 'olga', roles: ['operator'] }))).toEqual({
    who: 'olga',
    roles: ['operator'],
  });
  await expect(verify(await issuer.sign(client('another')))).rejects.toMatchObject({ problem: 'unauthenticated' });
});

test('a token for one of several audiences is accepted, and a token for none of them is not', async () => {
  const verify = coldLambda({ OIDC_AUDIENCE: ['other-api', audience] });
  for (const aud of [audience, 'other-api', ['account', audience]])
    expect(await verify(await issuer.sign({ ...operator, aud }))).toMatchObject({ who: 'olga' });
  for (const aud of ['other-api,epa-sync-api', 'account', [], ''])
    await expect(verify(await issuer.sign({ ...operator, aud }))).rejects.toMatchObject({ problem: 'unauthenticated' });
});

test.each([
  ['realm_access.roles', ['operator']],
  ['resource_access.epa.sync-api.roles', ['auditor']], // a client ID may have a dot
  ['resource_access.account.roles', []],
  ['realm_access', []],
])('Keycloak: roles are nested (%s)', async (claim, roles) => {
  const verify = coldLambda({ OIDC_ROLES_CLAIM: claim });
  const token = await issuer.sign({
    typ: 'Bearer',
    azp: 'console',
    aud: [audience, 'account'],
    sub: 'f:1:olga',
    name: 'Olga O.',
    preferred_username: 'olga',
    realm_access: { roles: ['offline_access', 'operator', 'uma_authorization'] },
    resource_access: { 'epa.sync-api': { roles: ['auditor'] }, account: { roles: ['manage-account'] } },
    scope: 'openid profile email',
  });
  expect(await verify(token)).toEqual({ who: 'f:1:olga', name: 'Olga O.', roles });
});

test('Entra ID: app roles are in the claim roles; missing groups are not taken for no role', async () => {
  const claims = { ver: '2.0', tid: 'a', oid: 'b', sub: 'pairwise', name: 'Olga O.', scp: 'access_as_user' };
  expect(await coldLambda()(await issuer.sign({ ...claims, roles: ['operator'] }))).toEqual({
    who: 'pairwise',
    name: 'Olga O.',
    roles: ['operator'],
  });
  const byGroups = coldLambda({ OIDC_ROLES_CLAIM: 'groups' });
  const overage = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example' } } };
  for (const leftOut of [overage, { hasgroups: true }])
    expect(await byGroups(await issuer.sign({ ...claims, ...leftOut }))).toMatchObject({
      roles: [],
      isWithoutRoles: true,
    });
  expect(await byGroups(await issuer.sign({ ...claims, groups: ['9d1f'] }))).not.toHaveProperty('isWithoutRoles');
  expect(await coldLambda()(await issuer.sign({ ...claims, ...overage, roles: ['auditor'] }))).toMatchObject({
    roles: ['auditor'],
  });
});

test('Auth0: the roles claim is a URL, and aud is a list', async () => {
  const verify = coldLambda({ OIDC_ROLES_CLAIM: 'https://klinik.example/roles' });
  const token = await issuer.sign({
    sub: 'auth0|65f0c1',
    aud: [audience, 'https://klinik.eu.auth0.com/userinfo'],
    azp: 'console',
    scope: 'openid profile offline_access',
    'https://klinik.example/roles': ['management'],
  });
  expect(await verify(token)).toEqual({ who: 'auth0|65f0c1', roles: ['management'] });
});
