import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { createAccessAnchorsStore } from './access-anchors.ts';

/** Starts an S3 that answers with these statuses in turn. */
async function startS3(answers: (readonly [status: number, code: string])[]) {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      requests.push(`${request.method} ${request.headers['if-none-match']}`);
      const [status, code] = answers.shift() ?? [500, 'Unexpected'];
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(status === 200 ? '' : `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const s3 = new S3Client({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  onTestFinished(() => {
    s3.destroy();
    server.close();
  });
  return { anchors: createAccessAnchorsStore({ s3, name: 'anchors' }), requests };
}

const conflict = [409, 'ConditionalRequestConflict'] as const;
const isThere = [412, 'PreconditionFailed'] as const;

test('the write of an anchor is repeated if another request writes the same one at this moment', async () => {
  for (const second of [[200, ''] as const, isThere]) {
    const { anchors, requests } = await startS3([conflict, second]);
    await anchors.put('a');
    expect(requests).toEqual(['PUT *', 'PUT *']);
  }
});

test('an anchor that exists is left as it is, and every other failure is an error', async () => {
  const there = await startS3([isThere]);
  await there.anchors.put('a');
  expect(there.requests).toHaveLength(1);
  const busy = await startS3([conflict, conflict]);
  await expect(busy.anchors.put('a')).rejects.toThrow('ConditionalRequestConflict');
  const refused = await startS3([[403, 'AccessDenied']]);
  await expect(refused.anchors.put('a')).rejects.toThrow('AccessDenied');
});
