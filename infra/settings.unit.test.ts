import { App } from 'aws-cdk-lib';
import { expect, test } from 'vitest';
import { readConsoleSettings } from './settings.ts';
import { deploymentOf } from './stage.ts';

const own = { OIDC_ISSUER: 'https://login.klinik.example', CONSOLE_ORIGIN: 'https://sued.klinik.example' };
const read = (context: object) => readConsoleSettings(new App({ context }).node, 'prod');

test('a second deployment has the settings of its own entry, and takes none from the stage', () => {
  expect(read({ prod: own })).toMatchObject(own);
  expect(read({ prod: {}, deployment: 'kk-sued', 'kk-sued': own })).toMatchObject(own);
  expect(() => read({ prod: own, deployment: 'kk-sued' })).toThrow(/OIDC_ISSUER.*CONSOLE_ORIGIN/);
});

test('a deployment cannot have the name of a stage, or one that gives the stack names of another deployment', () => {
  expect([undefined, 'epa-sync', 'kk-nord', 'kk2'].map(deploymentOf)).toEqual([
    'epa-sync',
    'epa-sync',
    'kk-nord',
    'kk2',
  ]);
  for (const name of ['prod', 'dev', 'local', 'KK', 'kk-2', 'kk--nord', '-kk', '', 'a'.repeat(31)])
    expect(() => deploymentOf(name), name).toThrow(/bad deployment: .*-c deployment=/);
});
