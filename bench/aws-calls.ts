import { createServer, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface AwsCalls extends AsyncDisposable {
  /** URL to use instead of the real endpoint */
  readonly endpoint: string;
  /** number of calls by service and operation, such as `dynamodb PutItem` or `s3 GET` */
  readonly calls: ReadonlyMap<string, number>;
  /** write units: per started KB of an item, double in a transaction; read units: per started 4 KB of a consistent read */
  readonly units: { write: number; read: number };
}

/**
 * Starts a proxy that counts the calls to AWS's endpoint and the units that DynamoDB would bill. It uses the size of the JSON,
 * which is slightly more than DynamoDB counts.
 */
export async function countAwsCalls(target: string): Promise<AwsCalls> {
  const calls = new Map<string, number>();
  const units = { write: 0, read: 0 };
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    void buffer(incoming).then((body) => {
      const operation = incoming.headers['x-amz-target']?.toString().split('.').at(-1);
      const name = operation === undefined ? `s3 ${incoming.method}` : `dynamodb ${operation}`;
      calls.set(name, (calls.get(name) ?? 0) + 1);
      if (operation !== undefined) units.write += writeUnits(operation, JSON.parse(body.toString()));
      const { url: path, method, headers } = incoming;
      const forward = request({ hostname, port, path, method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        if (operation === 'GetItem' || operation === 'Query')
          void buffer(answer).then((bytes) => {
            units.read += Math.max(1, Math.ceil(bytes.length / 4_096));
            outgoing.end(bytes);
          });
        else answer.pipe(outgoing);
      });
      forward.on('error', () => outgoing.destroy());
      forward.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no TCP port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    calls,
    units,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the input of an operation is untyped JSON
function writeUnits(operation: string, input: any): number {
  const ofItem = (item: unknown): number => Math.max(1, Math.ceil(JSON.stringify(item).length / 1_024));
  switch (operation) {
    case 'PutItem':
      return ofItem(input.Item);
    case 'UpdateItem':
      return ofItem(input.ExpressionAttributeValues);
    case 'DeleteItem':
      return 1;
    case 'BatchWriteItem':
      return sum(Object.values(input.RequestItems).flat(), (each) => ofItem(each));
    case 'TransactWriteItems':
      return 2 * sum(input.TransactItems, (each) => ofItem(each));
    default:
      return 0;
  }
}

const sum = (values: readonly unknown[], of: (value: unknown) => number): number =>
  values.reduce((total: number, value) => total + of(value), 0);
