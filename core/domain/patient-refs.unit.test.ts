import { expect, test } from 'vitest';
import { patientRefsIn } from './patient-refs.ts';

const [anna, ben] = ['5d41402abc4b2a76b9719d911017c592', '7d793037a0760186574b0282f2f435e7'];

test('each patient that a workflow names is found once', () => {
  const texts = [
    `{"patientRef":"${anna}"}`,
    `{"patientRefs":["${anna}","${ben}"],"next":{"shardIndex":3}}`,
    `{"payload":{"key":"payloads/1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e/${ben}/${'ab'.repeat(32)}"}}`,
    `patient:${anna}`,
  ];
  expect(patientRefsIn(texts)).toEqual([anna, ben]);
});

test.each([
  `{"traceparent":"00-${anna}-00f067aa0ba902b7-01"}`,
  `{"sha256":"${'ab'.repeat(32)}"}`,
  `{"syncId":"1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e"}`,
  `"${anna.toUpperCase()}"`,
  '',
])('no patient is found in %s', (text) => {
  expect(patientRefsIn([text])).toEqual([]);
});
