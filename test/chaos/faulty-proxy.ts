import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** A proxy between one worker and one service that can be made faulty. */
export interface FaultyProxy<Mode extends string> {
  /** 127.0.0.1:PORT */
  readonly address: string;
  startFault(mode: Mode): void;
  endFault(): void;
  close(): Promise<void>;
}

/**
 * The faults of a proxy to AWS.
 * - `drop`: connections are reset
 * - `silent`: nothing passes until the fault ends, and then late
 * - `delay`: each request arrives late, also if its sender has given up
 * - `error`: the answer is 500
 * - `lost-answer`: the request is executed, but the answer is 500 or a reset
 * - `throttle`: too many requests, as DynamoDB or S3 say it
 */
export type AwsMode = 'drop' | 'silent' | 'delay' | 'error' | 'lost-answer' | 'throttle';

/** `disconnected`: connections are reset, also new ones. `silent`: nothing passes until the fault ends. */
export const temporalModes = ['disconnected', 'silent'] as const;
export type TemporalMode = (typeof temporalModes)[number];

/** Delays in ms of `delay`. The time limit of a call to the gate is 1 000. */
const delaysMs = [300, 900, 1_500, 3_000] as const;

/**
 * Starts a proxy to AWS.
 * @param target the service, http://HOST:PORT
 * @param ownPort 0 for any free port
 * @param isAffected whether a request meets the fault; all do by default
 */
export async function startAwsProxy(
  target: string,
  ownPort = 0,
  isAffected: (request: IncomingMessage) => boolean = () => true,
): Promise<FaultyProxy<AwsMode>> {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const sockets = new Set<Socket>();
  let mode: AwsMode | undefined;
  let faultEnded = Promise.withResolvers<void>();
  let requests = 0;

  const server = createServer((incoming, answer) => {
    requests += 1;
    serve(incoming, answer, requests).catch(() => answer.destroy()); // the client or the service has gone
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    if (mode === 'drop') socket.resetAndDestroy();
  });

  async function serve(incoming: IncomingMessage, answer: ServerResponse, number: number): Promise<void> {
    const body = await buffer(incoming);
    const modeAtArrival = mode !== undefined && isAffected(incoming) ? mode : undefined;
    if (modeAtArrival === 'drop') return void answer.destroy();
    if (modeAtArrival === 'error') return void answer.writeHead(500).end('{"__type":"InternalServerError"}');
    if (modeAtArrival === 'throttle') return throttle(incoming, answer);
    if (modeAtArrival === 'silent') await faultEnded.promise;
    if (modeAtArrival === 'delay') await sleep(delaysMs[number % delaysMs.length]);
    const { status, headers, bytes } = await forward(incoming, body);
    if (modeAtArrival !== 'lost-answer') return void answer.writeHead(status, headers).end(bytes);
    if (number % 2 === 0) answer.destroy();
    else answer.writeHead(500).end('{"__type":"InternalServerError"}');
  }

  async function forward(incoming: IncomingMessage, body: Buffer) {
    const { expect: _, 'transfer-encoding': __, ...headers } = incoming.headers;
    const sent = request({
      ...{ hostname, port, agent, method: incoming.method, path: incoming.url },
      headers: { ...headers, 'content-length': body.length },
    });
    sent.end(body);
    const [reply] = (await once(sent, 'response')) as [IncomingMessage];
    const bytes = await buffer(reply);
    const { 'transfer-encoding': ___, connection: ____, ...kept } = reply.headers;
    return { status: reply.statusCode ?? 502, headers: kept, bytes };
  }

  const address = await listen(server, ownPort);
  return {
    address,
    startFault(how) {
      mode = how;
      if (how === 'drop') for (const socket of sockets) socket.resetAndDestroy();
    },
    endFault() {
      mode = undefined;
      faultEnded.resolve();
      faultEnded = Promise.withResolvers();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function throttle({ headers }: IncomingMessage, answer: ServerResponse): void {
  if (String(headers['x-amz-target'] ?? '').startsWith('DynamoDB_')) {
    answer.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
    const type = 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException';
    answer.end(JSON.stringify({ __type: type, message: 'too many' }));
  } else {
    answer.writeHead(503, { 'content-type': 'application/xml' });
    answer.end('<Error><Code>SlowDown</Code><Message>too many</Message></Error>');
  }
}

/** Starts a proxy to Temporal. @param target HOST:PORT */
export async function startTemporalProxy(target: string): Promise<FaultyProxy<TemporalMode>> {
  const [host = '', port = ''] = target.split(':');
  const pairs = new Set<readonly [Socket, Socket]>();
  let mode: TemporalMode | undefined;

  const join = ([near, far]: readonly [Socket, Socket]): void => {
    near.pipe(far);
    far.pipe(near);
  };
  const server = createTcpServer((near) => {
    near.on('error', () => {});
    if (mode === 'disconnected') return void near.resetAndDestroy();
    const far = connect(Number(port), host);
    const pair = [near, far] as const;
    pairs.add(pair);
    far.on('error', () => {});
    far.on('close', () => near.destroy());
    near.on('close', () => {
      far.destroy();
      pairs.delete(pair);
    });
    if (mode === undefined) join(pair);
  });
  const address = await listen(server);
  const disconnect = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  };
  return {
    address,
    startFault(how) {
      mode = how;
      if (how === 'disconnected') return disconnect();
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
      }
    },
    endFault() {
      if (mode === 'silent') for (const pair of pairs) join(pair);
      mode = undefined;
    },
    async close() {
      disconnect();
      server.close();
      await once(server, 'close');
    },
  };
}

async function listen(server: Server, port = 0): Promise<string> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
