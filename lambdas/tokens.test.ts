import { generateKeyPairSync, sign } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audience, type Issuer, startIssuer } from './issuer.fixture.ts';
import { createTokenVerifier, type VerifyToken } from './tokens.ts';

let issuer: Issuer;
let other: Issuer;
let verify: VerifyToken;
beforeAll(async () => {
  [issuer, other] = await Promise.all([startIssuer(), startIssuer()]);
  verify = createTokenVerifier({ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: audience, OIDC_ROLES_CLAIM: 'groups' });
});
afterAll(async () => await Promise.all([issuer.stop(), other.stop()]));

const nowSeconds = () => Math.floor(Date.now() / 1000);
const claims = { sub: 'anna', name: 'Anna A.', groups: ['clinician', 'gardener'] };

test.each(['RS256', 'ES256'] as const)(
  'a token of the issuer tells who asks, and in which of our roles (%s)',
  async (algorithm) => {
    expect(await verify(await issuer.sign(claims, algorithm))).toEqual({
      who: 'anna',
      name: 'Anna A.',
      roles: ['clinician'],
    });
  },
);

test('roles are those of one claim, a list or a single one', async () => {
  const rolesOf = async (groups: unknown) => (await verify(await issuer.sign({ ...claims, groups }))).roles;
  expect(await rolesOf('auditor')).toEqual(['auditor']);
  for (const none of [undefined, null, {}, 'auditor clinician', [['auditor']], 7])
    expect(await rolesOf(none)).toEqual([]);
});

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const unsigned = (head: object, payload: object): string => `${base64url(head)}.${base64url(payload)}`;
const whole = (): JWTPayload => ({ ...claims, iss: issuer.url, aud: audience, exp: nowSeconds() + 300 });

const wrong: readonly (readonly [what: string, token: () => Promise<string> | string])[] = [
  ['is no token', () => 'a.b.c'],
  ['has no signature (alg: none)', () => `${unsigned({ alg: 'none' }, whole())}.`],
  ['is signed with the public key as a secret', () => `${unsigned({ alg: 'HS256', kid: 'RS256' }, whole())}.c2ln`],
  ['is signed by an algorithm that we do not take', () => issuer.sign(claims, 'PS256')],
  ['is of another issuer', () => other.sign(claims)],
  ['is of another issuer that says it is ours', () => other.sign({ ...claims, iss: issuer.url })],
  ['is signed by a key that the token brings along', () => selfMade()],
  ['is for somebody else', () => issuer.sign({ ...claims, aud: 'another-api' })],
  ['has expired', () => issuer.sign({ ...claims, exp: nowSeconds() - 10 })],
  ['never expires', () => issuer.sign({ ...claims, exp: undefined } as unknown as JWTPayload)],
  ['is not valid yet', () => issuer.sign({ ...claims, nbf: nowSeconds() + 60 })],
  ['names nobody', () => issuer.sign({ name: 'Anna A.' })],
  ['names nobody but an empty text', () => issuer.sign({ ...claims, sub: '' })],
  [
    'was changed',
    async () => (await issuer.sign(claims)).replace(/\.[^.]+\./, `.${base64url({ ...whole(), sub: 'ben' })}.`),
  ],
];
test.each(wrong)('a token is refused that %s', async (_what, token) => {
  await expect(verify(await token())).rejects.toMatchObject({ problem: 'unauthenticated' });
});

function selfMade(): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = unsigned({ alg: 'RS256', jwk: publicKey.export({ format: 'jwk' }) }, whole());
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

test('two clocks may differ by a few seconds', async () => {
  await expect(
    verify(await issuer.sign({ ...claims, exp: nowSeconds() - 2, nbf: nowSeconds() + 2 })),
  ).resolves.toBeDefined();
});

test('an issuer that cannot be reached is not the fault of the token, and is asked again', async () => {
  const down = await startIssuer();
  await down.stop();
  const settings = { OIDC_ISSUER: down.url, OIDC_AUDIENCE: audience, OIDC_ROLES_CLAIM: 'roles' };
  const late = createTokenVerifier(settings);
  for (let time = 0; time < 2; time++) {
    await expect(late(await down.sign(claims))).rejects.toMatchObject({ problem: 'unavailable' });
  }
});
