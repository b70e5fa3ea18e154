import { expect, test } from 'vitest';
import { keepLoopbackDirect } from './proxy.ts';

test('behind a proxy, what runs on this machine is still reached directly', () => {
  const environment: NodeJS.ProcessEnv = { HTTP_PROXY: 'http://proxy:3128' };
  keepLoopbackDirect(environment);
  expect(environment).toMatchObject({ no_proxy: '127.0.0.1,localhost', NO_PROXY: '127.0.0.1,localhost' });
});

test('hosts that need no proxy already stay so', () => {
  const environment: NodeJS.ProcessEnv = { NO_PROXY: '.intern, localhost', no_grpc_proxy: 'cloud' };
  keepLoopbackDirect(environment);
  expect(environment['no_proxy']).toBe('.intern,localhost,127.0.0.1');
  expect(environment['no_grpc_proxy']).toBe('cloud,127.0.0.1,localhost');
});
