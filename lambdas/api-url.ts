import type { APIGatewayProxyEvent } from 'aws-lambda';

/** Where the caller reaches this API, without a slash at its end: stage or custom domain as API Gateway saw it, or the emulator's address. */
export function apiUrlOf({
  requestContext,
  resource,
}: Pick<APIGatewayProxyEvent, 'requestContext' | 'resource'>): string {
  const { domainName, path, apiId, stage } = requestContext;
  const emulator = process.env['AWS_ENDPOINT_URL'];
  if (emulator !== undefined) return `${emulator}/restapis/${apiId}/${stage}/_user_request_`;
  const segments = path.split('/');
  return `https://${domainName}${segments.slice(0, segments.length - resource.split('/').length + 1).join('/')}`;
}
