import { expect, test } from 'vitest';
import { hrefOf, routeOf } from './route.ts';

test('a page and its subject come back from their address', () => {
  const ref = '5d41402abc4b2a76b9719d911017c592';
  expect(routeOf(hrefOf('patient', ref))).toEqual({ page: 'patient', subject: ref });
  expect(routeOf(hrefOf('issues', '20261124T213000Z-1f3a9c0e'))).toMatchObject({
    subject: '20261124T213000Z-1f3a9c0e',
  });
  expect(routeOf(hrefOf('runs'))).toEqual({ page: 'runs' });
});

test('any other address is no page', () => {
  for (const hash of ['', '#', '#/', '#/nothing', '#/patient/../x', '#/patient/<b>'])
    expect(routeOf(hash).page).toBeUndefined();
});
