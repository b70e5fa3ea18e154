import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly env_file?: readonly { readonly path: string }[];
}
const root = dirname(import.meta.dirname);
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const services = Object.entries(compose.services);

test('each image has an exact version, or is built from an existing Dockerfile', () => {
  for (const [name, { image, build }] of services) {
    if (build) expect(existsSync(join(root, build.context, build.dockerfile)), name).toBe(true);
    else expect(image, name).toMatch(/:\d+\.\d+\.\d+$/);
  }
});

test('all ports are published on loopback only', () => {
  for (const [name, { ports = [] }] of services)
    for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('each service has a health check', () => {
  for (const [name, { healthcheck }] of services) expect(healthcheck?.test[0], name).toBe('CMD');
});

test('each service has time to end, and the first start to pull the image of the Lambdas', () => {
  for (const [name, { stop_grace_period }] of services) expect(stop_grace_period, name).toMatch(/^[3-6]0s$/);
  expect(Number(compose.services['aws']?.environment?.['CFN_PER_RESOURCE_TIMEOUT'])).toBeGreaterThanOrEqual(900);
});

test('each volume is declared, and each declared volume is used', () => {
  const used = services.flatMap(([, { volumes = [] }]) => volumes).filter((volume) => !volume.startsWith('/'));
  expect(used.map((volume) => volume.split(':')[0])).toEqual(Object.keys(compose.volumes));
});

test('the worker reads the settings that npm start writes', () => {
  expect(compose.services['worker']?.env_file?.[0]?.path).toBe(`\${LOCAL_DIR:-.local}/worker.env`);
});
