import { expect, test } from 'vitest';
import { securityHeaders } from './security-headers.ts';

test('the policy allows connections to the given origins only', () => {
  const { 'content-security-policy': policy = '' } = securityHeaders({
    apiOrigin: 'https://api.example.org',
    issuerOrigins: ['https://issuer.example.org', 'https://tokens.example.org'],
    documentOrigins: ['https://bucket.example.org'],
  });
  expect(policy).toContain(
    "connect-src 'self' https://api.example.org https://issuer.example.org https://tokens.example.org https://bucket.example.org;",
  );
  expect(policy).not.toMatch(/unsafe|\*|data:|http:/);
});
