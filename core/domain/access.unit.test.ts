import { expect, test } from 'vitest';
import { agentLabel, claimAt, isLeftOut } from './access.ts';

test('a label names a person by name and sub, on one line of at most 200 characters', () => {
  expect(agentLabel({ who: '8f3b1c', name: 'Jonas Brandt' })).toBe('Jonas Brandt (8f3b1c)');
  expect(agentLabel({ who: '8f3b1c' })).toBe('8f3b1c');
  expect(agentLabel({ who: '8f3b1c', name: ' \n ' })).toBe('8f3b1c');
  expect(agentLabel({ who: '8f3b1c', name: 'two\nlines' })).toBe('two lines (8f3b1c)');
  expect(agentLabel({ who: '8f3b1c', name: 'x'.repeat(200) })).toMatch(/^x{191} \(8f3b1c\)$/);
  expect(agentLabel({ who: 'w'.repeat(200), name: 'Jonas Brandt' })).toBe('w'.repeat(200));
});

test('the name of a nested claim has dots, and a claim whose own name has dots comes first', () => {
  const claims = {
    roles: ['a'],
    'https://klinik.example/roles': ['b'],
    realm_access: { roles: ['c'], 'x.y': { z: 'd' } },
  };
  expect(claimAt(claims, 'roles')).toEqual(['a']);
  expect(claimAt(claims, 'https://klinik.example/roles')).toEqual(['b']);
  expect(claimAt(claims, 'realm_access.roles')).toEqual(['c']);
  expect(claimAt(claims, 'realm_access.x.y.z')).toBe('d');
  expect(claimAt({ 'realm_access.roles': ['e'], ...claims }, 'realm_access.roles')).toEqual(['e']);
  for (const none of ['realm_access.none', 'none', 'constructor', 'realm_access.', '.roles'])
    expect(claimAt(claims, none)).toBeUndefined();
});

test('an issuer that leaves a claim out of the token says so', () => {
  expect(isLeftOut({ _claim_names: { groups: 'src1' } }, 'groups')).toBe(true);
  expect(isLeftOut({ hasgroups: true }, 'groups')).toBe(true);
  for (const other of [{}, { _claim_names: { groups: 'src1' }, hasgroups: true }, { _claim_names: 'roles' }])
    expect(isLeftOut(other, 'roles')).toBe(false);
});
