import {
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler';
import { WorkflowNotFoundError } from '@temporalio/client';
import { importJWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { clientConfig, readConfig } from '../../core/config.ts';
import { dailySyncId } from '../../core/contract/names.ts';
import type { Role } from '../../core/domain/access.ts';
import { openTemporal } from '../../core/temporal/connection.ts';
import { audience } from '../../local/issuer-process.ts';
import { readIssuerKeys } from '../../local/oidc/issuer-keys.ts';
import { fetchToken } from '../../local/oidc/token.ts';
import { startTestStack, type TestStack } from '../stack.ts';

const insurerId = 'test';
let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ api: true });
}, 300_000);
afterAll(async () => await stack.stop());

async function call(method: string, path: string, role?: Role): Promise<Response> {
  if (stack.api === undefined) throw new Error('the stack has no API');
  const { url, issuer, issuerKeys } = stack.api;
  const token = role && (await fetchToken(issuer, issuerKeys, role));
  return await fetch(`${url}${path}`, { method, headers: token ? { authorization: `Bearer ${token}` } : {} });
}

test('a token of the issuer gives access to the API, but only for its role', async () => {
  const runs = await call('GET', '/sync/runs', 'operator');
  expect([runs.status, await runs.json()]).toEqual([200, { runs: [] }]);
  const rejected = await call('GET', '/sync/runs', 'auditor');
  expect([rejected.status, rejected.headers.get('content-type')]).toEqual([403, 'application/problem+json']);
});

test('without a token there is no access', async () => {
  const rejected = await call('GET', '/sync/runs');
  expect([rejected.status, rejected.headers.get('content-type')]).toEqual([401, 'application/problem+json']);
});

test('a token of 10 kB, as Entra ID issues them, reaches the API', async () => {
  const { url = '', issuer = '', issuerKeys = '' } = stack.api ?? {};
  const { signingKey } = readIssuerKeys(issuerKeys);
  const groups = Array.from(
    { length: 185 },
    (_, index) => `9d1f0a3c-5b7d-4c11-9e57-${String(index).padStart(12, '0')}`,
  );
  const token = await new SignJWT({ iss: issuer, aud: audience, sub: 'olga', roles: ['operator'], groups })
    .setProtectedHeader({ alg: 'RS256', kid: signingKey.kid })
    .setExpirationTime('5 minutes')
    .sign(await importJWK(signingKey, 'RS256'));
  expect(token.length).toBeGreaterThan(9_700);
  const answer = await fetch(`${url}/sync/runs`, { headers: { authorization: `Bearer ${token}` } });
  expect([answer.status, await answer.json()]).toEqual([200, { runs: [] }]);
});

test('API Gateway answers an unknown path with a problem', async () => {
  const answer = await call('GET', '/nowhere', 'operator');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  expect(await answer.json()).toMatchObject({ type: 'urn:epa-sync:problem:not-found', status: 404 });
});

// the emulator does not support time zones, so the test uses a short rate; the hour is tested in the template
test('the schedule starts the daily run', async () => {
  const temporal = openTemporal(readConfig(clientConfig, { ...stack.environment, INSURER_ID: insurerId }));
  onTestFinished(async () => await temporal.connection.close());
  const run = temporal.workflow.getHandle(dailySyncId(insurerId));
  await expect(run.describe()).rejects.toThrow(WorkflowNotFoundError);

  const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '' } = stack.environment;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const scheduler = new SchedulerClient({ endpoint, region, credentials });
  onTestFinished(() => scheduler.destroy());
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({}));
  const { Name } = Schedules.find((each) => !each.Name?.includes('AccessLogCheck')) ?? {};
  const {
    ScheduleExpressionTimezone: _,
    FlexibleTimeWindow,
    Target,
  } = await scheduler.send(new GetScheduleCommand({ Name }));
  const ScheduleExpression = 'rate(1 minute)';
  await scheduler.send(new UpdateScheduleCommand({ Name, ScheduleExpression, FlexibleTimeWindow, Target }));

  await expect
    .poll(
      async () =>
        await run.describe().then(
          ({ status }) => status.name,
          () => 'none',
        ),
      { timeout: 120_000, interval: 500 },
    )
    .toBe('RUNNING');
  await run.terminate();
});
