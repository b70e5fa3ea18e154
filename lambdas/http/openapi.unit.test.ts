import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApiDocument } from './openapi.ts';
import { problems } from './problems.ts';
import { type Operation, operations, problemsOf } from './routes.ts';

test('each problem has a heading in docs/reference/problems.md whose text begins with its status, and there are no other headings', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'reference', 'problems.md'), 'utf8');
  const listed = [...page.matchAll(/^## (\S+)\n(\d+)/gm)].map(([, name, status]) => [name, Number(status)]);
  expect(listed).toHaveLength([...page.matchAll(/^## /gm)].length);
  expect(listed).toEqual(Object.entries(problems).map(([name, { status }]) => [name, status]));
});

test('/openapi.json describes all operations, with every status, examples and roles', () => {
  const { openapi, paths, components, servers } = openApiDocument('https://api.example/v1');
  expect({ openapi, servers }).toEqual({ openapi: '3.1.0', servers: [{ url: 'https://api.example/v1' }] });
  expect(Object.keys(components?.securitySchemes ?? {})).toEqual(['token']);
  for (const [name, operation] of Object.entries(operations) as [string, Operation][]) {
    const described = paths?.[operation.path]?.[operation.method === 'GET' ? 'get' : 'post'];
    expect(described?.operationId).toBe(name);
    const statuses = new Set(problemsOf(operation).map((problem) => problems[problem].status));
    expect(
      Object.keys(described?.responses ?? {})
        .map(Number)
        .sort(),
    ).toEqual([operation.answer.status, ...(operation.answer.location ? [302] : []), ...statuses].sort());
    expect(described?.security).toEqual(Array.isArray(operation.roles) ? [{ token: [] }] : []);
    expect(described?.requestBody === undefined).toBe(operation.body === undefined);
  }
});

test('the pattern of a KVNR takes what the API takes', () => {
  const { Kvnr } = openApiDocument('https://api.example/v1').components?.schemas ?? {};
  expect(Kvnr).toMatchObject({ type: 'string', maxLength: 50 });
  const pattern = new RegExp((Kvnr as { pattern: string }).pattern);
  for (const text of ['A123456780', 'a 123 456 780', ' a123456780 ']) expect(text).toMatch(pattern);
  for (const text of ['A12345678', 'A1234567800', '1123456780', 'a-123456780']) expect(text).not.toMatch(pattern);
});

test('no two operations share a route', () => {
  const routes = Object.values(operations).map(({ method, path }) => `${method} ${path}`);
  expect(new Set(routes).size).toBe(routes.length);
});
