import { type RestApi, ResponseType as Type } from 'aws-cdk-lib/aws-apigateway';
import { type ProblemName, problems, problemType } from '../../lambdas/http/problems.ts';

/**
 * Answers of API Gateway itself, and the problem for each. For an unknown path, it reports a missing or invalid AWS
 * signature.
 */
const problemOf: readonly (readonly [Type, ProblemName])[] = [
  [Type.DEFAULT_4XX, 'not-found'],
  [Type.MISSING_AUTHENTICATION_TOKEN, 'not-found'],
  [Type.INVALID_SIGNATURE, 'not-found'],
  [Type.EXPIRED_TOKEN, 'not-found'],
  [Type.RESOURCE_NOT_FOUND, 'not-found'],
  [Type.WAF_FILTERED, 'forbidden'],
  [Type.ACCESS_DENIED, 'forbidden'],
  [Type.BAD_REQUEST_BODY, 'invalid-request'],
  [Type.BAD_REQUEST_PARAMETERS, 'invalid-request'],
  [Type.REQUEST_TOO_LARGE, 'body-too-large'],
  [Type.UNSUPPORTED_MEDIA_TYPE, 'unsupported-media-type'],
  [Type.THROTTLED, 'too-many-requests'],
  [Type.QUOTA_EXCEEDED, 'too-many-requests'],
  [Type.DEFAULT_5XX, 'internal'],
  [Type.INTEGRATION_FAILURE, 'unavailable'],
  [Type.INTEGRATION_TIMEOUT, 'unavailable'],
];

/** Says more than the title of the problem, which is about roles. */
const details: Partial<Record<ProblemName, string>> = {
  forbidden: 'A firewall or a policy in front of the API has blocked the request.',
};

/** Values of Retry-After, seconds. */
const retryAfter: Partial<Record<ProblemName, string>> = { 'too-many-requests': '1', unavailable: '2' };

/** Makes API Gateway answer with our problems (RFC 9457), with the same headers as the Lambdas. */
export function addProblemResponses(api: RestApi, consoleOrigin: string): void {
  for (const [type, name] of problemOf) {
    const { status, title } = problems[name];
    const headers: Record<string, string> = {
      'Content-Type': 'application/problem+json',
      'cache-control': 'no-store',
      'strict-transport-security': 'max-age=63072000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': consoleOrigin,
      ...(retryAfter[name] && { 'retry-after': retryAfter[name] }),
    };
    api.addGatewayResponse(type.responseType, {
      type,
      statusCode: String(status),
      responseHeaders: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, `'${value}'`])),
      templates: {
        'application/json': JSON.stringify({
          type: problemType(name),
          title,
          status,
          ...(details[name] && { detail: details[name] }),
          correlationId: '$context.requestId',
        }),
      },
    });
  }
}
