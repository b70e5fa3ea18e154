import { expect, test } from 'vitest';
import { hrefOf, routeOf } from './route.ts';

test('parsing an address returns its page and subject', () => {
  const ref = '5d41402abc4b2a76b9719d911017c592';
  expect(routeOf(hrefOf('patient', ref))).toEqual({ page: 'patient', subject: ref });
  expect(routeOf(hrefOf('issues', '20261124T213000Z-1f3a9c0e'))).toMatchObject({
    subject: '20261124T213000Z-1f3a9c0e',
  });
  expect(routeOf(hrefOf('runs'))).toEqual({ page: 'runs' });
});

test('an unknown address has no page', () => {
  for (const hash of ['', '#', '#/', '#/nothing', '#/patient/../x', '#/patient/<b>'])
    expect(routeOf(hash).page).toBeUndefined();
});
