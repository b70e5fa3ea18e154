export interface PageOrigins {
  /** whom the page speaks to, such as `https://api.example.org` */
  readonly apiOrigin: string;
  readonly issuerOrigins: readonly string[];
  /** where the API's links to documents lead in the end, when that is elsewhere: the bucket's origin in AWS */
  readonly documentOrigins?: readonly string[];
}

/** What every file of the console is served with, on a laptop and by CloudFront: no foreign code, no frame, no trace elsewhere. */
export const securityHeaders = ({
  apiOrigin,
  issuerOrigins,
  documentOrigins = [],
}: PageOrigins): Readonly<Record<string, string>> => ({
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
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
