import { App } from 'aws-cdk-lib';
import { expect, test } from 'vitest';
import { readConsoleSettings, readDeployment } from './settings.ts';
import { deploymentOf, type Stage } from './stage.ts';

const own = { OIDC_ISSUER: 'https://login.klinik.example', CONSOLE_ORIGIN: 'https://sued.klinik.example' };
const read = (context: object) => readConsoleSettings(new App({ context }).node, 'prod');

test('a second deployment has the settings of its own entry, and takes none from the stage', () => {
  expect(read({ prod: own })).toMatchObject(own);
  const sued = { stage: 'prod' };
  expect(read({ prod: {}, deployment: 'kk-sued', 'kk-sued': { ...own, ...sued } })).toMatchObject(own);
  expect(() => read({ prod: own, deployment: 'kk-sued', 'kk-sued': sued })).toThrow(/OIDC_ISSUER.*CONSOLE_ORIGIN/);
});

test('a second deployment has one stage, so that the data of production keeps its protection', () => {
  const deploymentIn = (stage: Stage, entry?: object) =>
    readDeployment(new App({ context: { deployment: 'kk-nord', 'kk-nord': entry } }).node, stage);
  expect(deploymentIn('prod', { stage: 'prod' })).toBe('kk-nord');
  expect(() => deploymentIn('dev', { stage: 'prod' })).toThrow(
    /stage: is dev, but kk-nord has the stage prod in cdk.json. Deploy it with -c stage=prod/,
  );
  for (const entry of [{}, undefined])
    expect(() => deploymentIn('dev', entry)).toThrow(/stage: is missing in the entry of kk-nord in cdk.json/);
  expect(deploymentIn('local')).toBe('kk-nord');
  expect(readDeployment(new App().node, 'dev')).toBe('epa-sync');
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
