import type { APIGatewayProxyEvent } from 'aws-lambda';

/** Where the caller reaches this API, without a slash at its end: stage or custom domain as API Gateway saw it, or the emulator's address. */
export function apiUrlOf({
  requestContext,
  resource,
  headers,
}: Pick<APIGatewayProxyEvent, 'requestContext' | 'resource' | 'headers'>): string {
  const { domainName, path, apiId, stage } = requestContext;
  const emulator = process.env['AWS_ENDPOINT_URL'];
  if (emulator !== undefined) {
    // by the name that the caller has for it: a Lambda in a container has another one
    const host = headers['host'] ?? headers['Host'] ?? new URL(emulator).host;
    return `http://${host}/restapis/${apiId}/${stage}/_user_request_`;
  }
  const segments = path.split('/');
  return `https://${domainName}${segments.slice(0, segments.length - resource.split('/').length + 1).join('/')}`;
}
