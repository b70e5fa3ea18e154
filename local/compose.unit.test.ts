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
  readonly env_file?: readonly { readonly path: string }[];
}
const root = dirname(import.meta.dirname);
const compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const services = Object.entries(compose.services);

test('what Docker brings is of one version each, or is built from a file that is there', () => {
  for (const [name, { image, build }] of services) {
    if (build) expect(existsSync(join(root, build.context, build.dockerfile)), name).toBe(true);
    else expect(image, name).toMatch(/:\d+\.\d+\.\d+$/);
  }
});

test('all listen on loopback only', () => {
  for (const [name, { ports = [] }] of services)
    for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test('each says whether it is well', () => {
  for (const [name, { healthcheck }] of services) expect(healthcheck?.test[0], name).toBe('CMD');
});

test('what is kept is kept in volumes that are named', () => {
  const used = services.flatMap(([, { volumes = [] }]) => volumes).filter((volume) => !volume.startsWith('/'));
  expect(used.map((volume) => volume.split(':')[0])).toEqual(Object.keys(compose.volumes));
});

test('the worker takes the settings that npm start writes', () => {
  expect(compose.services['worker']?.env_file?.[0]?.path).toBe(`\${LOCAL_DIR:-.local}/worker.env`);
});
