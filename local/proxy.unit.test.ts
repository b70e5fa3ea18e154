import { expect, test } from 'vitest';
import { keepLoopbackDirect } from './proxy.ts';

test('behind a proxy, loopback is reached directly', () => {
  const environment: NodeJS.ProcessEnv = { HTTP_PROXY: 'http://proxy:3128' };
  keepLoopbackDirect(environment);
  expect(environment).toMatchObject({ no_proxy: '127.0.0.1,localhost', NO_PROXY: '127.0.0.1,localhost' });
});

test('hosts that are already excluded from the proxy stay excluded', () => {
  const environment: NodeJS.ProcessEnv = { NO_PROXY: '.intern, localhost', no_grpc_proxy: 'cloud' };
  keepLoopbackDirect(environment);
  expect(environment['no_proxy']).toBe('.intern,localhost,127.0.0.1');
  expect(environment['no_grpc_proxy']).toBe('cloud,127.0.0.1,localhost');
});
