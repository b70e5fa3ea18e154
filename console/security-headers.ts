export interface PageOrigins {
  /** The origin of the API, such as `https://api.example.org`. */
  readonly apiOrigin: string;
  readonly issuerOrigins: readonly string[];
  /** The origins that links to documents redirect to, if not the API: in AWS, the bucket's origin. */
  readonly documentOrigins?: readonly string[];
}

/**
 * Returns the headers that every file of the console is served with, on a laptop and by CloudFront. They forbid code and frames from
 * elsewhere, and referrers.
 */
export const securityHeaders = ({
  apiOrigin,
  issuerOrigins,
  documentOrigins = [],
}: PageOrigins): Readonly<Record<string, string>> => ({
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    'frame-src blob:', // documents to look at: the page makes them, with the type that their bytes have
    `connect-src ${[...new Set(["'self'", apiOrigin, ...issuerOrigins, ...documentOrigins])].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=63072000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
});
