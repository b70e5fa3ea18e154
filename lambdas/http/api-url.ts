import type { APIGatewayProxyEvent } from 'aws-lambda';

/**
 * Returns the origin at which the caller reaches S3 on an emulator, which serves all services at one address; undefined in
 * AWS.
 * @param apiUrl as `apiUrlOf` returns it
 */
export const emulatorOriginOf = (apiUrl: string): string | undefined =>
  process.env['AWS_ENDPOINT_URL'] === undefined ? undefined : new URL(apiUrl).origin;

/**
 * Returns the address of this API as the caller sees it, without a slash at the end: the stage, a custom domain, or the
 * emulator.
 */
export function apiUrlOf({
  requestContext,
  resource,
  headers,
}: Pick<APIGatewayProxyEvent, 'requestContext' | 'resource' | 'headers'>): string {
  const { domainName, path, apiId, stage } = requestContext;
  const emulator = process.env['AWS_ENDPOINT_URL'];
  if (emulator !== undefined) {
    // the name that the caller uses, because a Lambda in a container has another one
    const host = headers['host'] ?? headers['Host'] ?? new URL(emulator).host;
    return `http://${host}/restapis/${apiId}/${stage}/_user_request_`;
  }
  const segments = path.split('/');
  return `https://${domainName}${segments.slice(0, segments.length - resource.split('/').length + 1).join('/')}`;
}
