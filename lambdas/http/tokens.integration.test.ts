import { generateKeyPairSync, sign } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audience, type Issuer, startIssuer } from './issuer.fixture.ts';
import type { IssuerKeysDeps } from './issuer-keys.ts';
import { createTokenCipher } from './token-cipher.ts';
import { createCodecTokenVerifier, createTokenVerifier, type VerifyToken } from './tokens.ts';

const noStore: IssuerKeysDeps = {
  store: { put: async () => {}, get: async () => Promise.reject(new Error('nothing is kept')) },
  cipher: createTokenCipher(Buffer.alloc(32).toString('base64')),
  report: () => {},
};
let issuer: Issuer;
let other: Issuer;
let verify: VerifyToken;
beforeAll(async () => {
  [issuer, other] = await Promise.all([startIssuer(), startIssuer()]);
  verify = createTokenVerifier(
    { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: [audience], OIDC_ROLES_CLAIM: 'groups' },
    noStore,
  );
});
afterAll(async () => await Promise.all([issuer.stop(), other.stop()]));

const nowSeconds = () => Math.floor(Date.now() / 1000);
const claims = { sub: 'anna', name: 'Anna A.', groups: ['clinician', 'gardener'] };

test.each(['RS256', 'ES256'] as const)(
  'a token of the issuer identifies the caller and the roles (%s)',
  async (algorithm) => {
    expect(await verify(await issuer.sign(claims, algorithm))).toEqual({
      who: 'anna',
      name: 'Anna A.',
      roles: ['clinician'],
    });
  },
);

test('the roles claim is a list or a single role', async () => {
  const rolesOf = async (groups: unknown) => (await verify(await issuer.sign({ ...claims, groups }))).roles;
  expect(await rolesOf('auditor')).toEqual(['auditor']);
  for (const none of [undefined, null, {}, 'auditor clinician', [['auditor']], 7])
    expect(await rolesOf(none)).toEqual([]);
});

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (head: object, payload: object): string => `${base64url(head)}.${base64url(payload)}`;
const whole = (): JWTPayload => ({ ...claims, iss: issuer.url, aud: audience, exp: nowSeconds() + 300 });

const wrong: readonly (readonly [what: string, token: () => Promise<string> | string])[] = [
  ['is not a token', () => 'a.b.c'],
  ['has no signature (alg: none)', () => `${unsigned({ alg: 'none' }, whole())}.`],
  ['is signed with the public key as a secret', () => `${unsigned({ alg: 'HS256', kid: 'RS256' }, whole())}.c2ln`],
  ['is signed with an algorithm that is not accepted', () => issuer.sign(claims, 'PS256')],
  ['is of another issuer', () => other.sign(claims)],
  ['is of another issuer that claims to be ours', () => other.sign({ ...claims, iss: issuer.url })],
  ['is signed with a key that the token contains', () => selfMade()],
  ['has another audience', () => issuer.sign({ ...claims, aud: 'another-api' })],
  ['has expired', () => issuer.sign({ ...claims, exp: nowSeconds() - 10 })],
  ['never expires', () => issuer.sign({ ...claims, exp: undefined } as unknown as JWTPayload)],
  ['is not valid yet', () => issuer.sign({ ...claims, nbf: nowSeconds() + 60 })],
  ['has no sub', () => issuer.sign({ name: 'Anna A.' })],
  ['has an empty sub', () => issuer.sign({ ...claims, sub: '' })],
  [
    'was changed',
    async () => (await issuer.sign(claims)).replace(/\.[^.]+\./, `.${base64url({ ...whole(), sub: 'ben' })}.`),
  ],
];
test.each(wrong)('a token is rejected that %s', async (_what, token) => {
  await expect(verify(await token())).rejects.toMatchObject({ problem: 'unauthenticated' });
});

function selfMade(): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = unsigned({ alg: 'RS256', jwk: publicKey.export({ format: 'jwk' }) }, whole());
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

test('the clocks of issuer and API may differ by a few seconds', async () => {
  await expect(
    verify(await issuer.sign({ ...claims, exp: nowSeconds() - 2, nbf: nowSeconds() + 2 })),
  ).resolves.toBeDefined();
});

test('an unreachable issuer is not reported as a wrong token, and is tried again', async () => {
  const down = await startIssuer();
  await down.stop();
  const settings = { OIDC_ISSUER: down.url, OIDC_AUDIENCE: [audience], OIDC_ROLES_CLAIM: 'roles' };
  const late = createTokenVerifier(settings, noStore);
  for (let time = 0; time < 2; time++) {
    await expect(late(await down.sign(claims))).rejects.toMatchObject({
      problem: 'unavailable',
      details: { detail: expect.stringContaining('OIDC issuer does not answer') },
    });
  }
});

const cloudAudience = 'https://saas-api.tmprl.cloud';
const cloudEmail = `${cloudAudience}/user/email`;

/** Also accepts tokens that the Temporal UI passes on from another issuer. */
const codecVerifier = (readers: string[]): VerifyToken =>
  createCodecTokenVerifier(
    {
      CODEC_OIDC_ISSUER: other.url,
      CODEC_OIDC_AUDIENCE: cloudAudience,
      OIDC_AUDIENCE: [audience],
      CODEC_READERS: readers,
    },
    verify,
    noStore,
  );

test('listed people of the Temporal UI’s issuer are operators, by subject or e-mail, and others have no role', async () => {
  const verifyCodec = codecVerifier(['samlp|kk|olga', 'Otto@klinik.example']);
  const rolesOf = async (more: JWTPayload) =>
    (await verifyCodec(await other.sign({ aud: cloudAudience, sub: 'auth0|1', roles: ['operator'], ...more }))).roles;
  expect(await rolesOf({ sub: 'samlp|kk|olga' })).toEqual(['operator']);
  expect(await rolesOf({ email: 'otto@klinik.example', email_verified: true })).toEqual(['operator']);
  for (const unverified of [false, undefined, 'true'])
    expect(await rolesOf({ email: 'otto@klinik.example', email_verified: unverified })).toEqual([]);
  expect(await rolesOf({ [cloudEmail]: 'otto@klinik.example' })).toEqual([]); // any customer of Temporal can make their own sign-in say so
  expect(await rolesOf({ sub: 'SAMLP|KK|OLGA' })).toEqual([]);
  expect(await rolesOf({ name: 'Otto@klinik.example' })).toEqual([]);
  expect(await rolesOf({})).toEqual([]);
});

test('the codec endpoint accepts our own tokens by their roles, independent of the list', async () => {
  expect(await codecVerifier(['anna'])(await issuer.sign(claims))).toMatchObject({ who: 'anna', roles: ['clinician'] });
  const alone = createCodecTokenVerifier(
    { CODEC_OIDC_ISSUER: undefined, CODEC_OIDC_AUDIENCE: undefined, OIDC_AUDIENCE: [audience], CODEC_READERS: [] },
    verify,
    noStore,
  );
  expect(alone).toBe(verify);
});

test('a token of the Temporal UI is accepted only by the codec endpoint, and is verified like ours', async () => {
  const verifyCodec = codecVerifier(['anna']);
  const page = { sub: 'anna', aud: cloudAudience };
  await expect(verify(await other.sign(page))).rejects.toMatchObject({ problem: 'unauthenticated' });
  for (const token of [
    await other.sign({ sub: 'anna' }), // with our audience, not that of Temporal
    await other.sign({ ...page, exp: nowSeconds() - 10 }),
    await issuer.sign({ ...page, iss: other.url }),
    `${unsigned({ alg: 'none' }, { ...page, iss: other.url, exp: nowSeconds() + 60 })}.`,
    'a.b.c',
  ])
    await expect(verifyCodec(token)).rejects.toMatchObject({ problem: 'unauthenticated' });
});
