import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, test as base, describe } from 'vitest';
import { createGateClient, type GateStore, openGate } from '../../core/stores/gate.ts';
import { createLog } from '../log.ts';
import { startKeeper } from './keeper.ts';
import { forkedFrom } from './line-process-handle.ts';

const leaseMs = 2_000;
const pauseGraceMs = 400;
const never = new AbortController().signal;

/** What the insurer saw: requests in the order of arrival, and how many at the same time. */
interface Insurer {
  readonly url: string;
  readonly arrivals: { readonly worker: string; readonly leaseNumber: number; readonly atMs: number }[];
  readonly overlaps: number;
  readonly inFlight: number;
  /** resolves once no request is in flight: each was answered, or its socket is closed */
  becomesIdle(): Promise<void>;
  /** answers a request; by default after 20 ms */
  answer: (response: ServerResponse, worker: string) => void;
  /** resolves with the next matching request */
  nextRequest(fits?: (worker: string) => boolean): Promise<string>;
  close(): void;
}

async function startInsurer(): Promise<Insurer> {
  const waiting = new Set<(worker: string) => void>();
  const idle: (() => void)[] = [];
  let inFlight = 0;
  let overlaps = 0;
  const server = createServer((request, response) => {
    const [, worker = '', leaseNumber] = (request.url ?? '').split('/');
    insurer.arrivals.push({ worker, leaseNumber: Number(leaseNumber), atMs: performance.now() });
    inFlight += 1;
    if (inFlight > 1) overlaps += 1;
    request.socket.once('close', () => {
      inFlight -= 1;
      if (inFlight === 0) for (const tell of idle.splice(0)) tell();
    });
    response.setHeader('connection', 'close');
    insurer.answer(response, worker);
    for (const tell of [...waiting]) tell(worker);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const insurer: Insurer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals: [],
    answer: answerSoon,
    get overlaps() {
      return overlaps;
    },
    get inFlight() {
      return inFlight;
    },
    nextRequest: (fits = () => true) =>
      new Promise((resolve) => {
        const tell = (worker: string): void => {
          if (!fits(worker)) return;
          waiting.delete(tell);
          resolve(worker);
        };
        waiting.add(tell);
      }),
    becomesIdle: () => new Promise((resolve) => void (inFlight === 0 ? resolve() : idle.push(resolve))),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return insurer;
}
/** A proxy to DynamoDB that can disconnect: it closes all connections, also new ones. */
interface DatabaseWay extends AsyncDisposable {
  readonly url: string;
  disconnect(): void;
}

async function startDatabaseWay(): Promise<DatabaseWay> {
  const target = new URL(process.env['AWS_ENDPOINT_URL'] ?? '');
  const sockets = new Set<Socket>();
  let isAborted = false;
  const server = createTcpServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => sockets.delete(one) && other.destroy());
      one.pipe(other);
    }
    if (isAborted) near.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const disconnect = (): void => {
    isAborted = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    disconnect,
    async [Symbol.asyncDispose]() {
      disconnect();
      server.close();
      await once(server, 'close');
    },
  };
}

const answerSoon = (response: ServerResponse): void => void setTimeout(() => response.end('{}'), 20);
const hang = (): void => {};

/** A worker's main process with its line process, which sends requests. */
class Worker {
  readonly name: string;
  readonly process: ChildProcess;
  readonly logged: Record<string, unknown>[] = [];
  #listeners = new Set<() => void>();

  constructor(name: string, environment: NodeJS.ProcessEnv) {
    this.name = name;
    const entry = new URL('./keeper.fixture.ts', import.meta.url).pathname;
    this.process = spawn(process.execPath, [entry], {
      env: { ...process.env, ...environment, WORKER_NAME: name },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.process.stdout ?? process.stdin }).on('line', (line) => {
      this.logged.push(JSON.parse(line));
      for (const listener of [...this.#listeners]) listener();
    });
  }

  get linePid(): number {
    return this.logged.findLast(({ event }) => event === 'line process started')?.['linePid'] as number;
  }

  /** Resolves at the first, or the given, occurrence of a log event. */
  async logs(event: string, time = 1): Promise<Record<string, unknown>> {
    return await new Promise((resolve) => {
      const resolveIfLogged = (): void => {
        const line = this.logged.filter((entry) => entry['event'] === event)[time - 1];
        if (line === undefined) return;
        this.#listeners.delete(resolveIfLogged);
        resolve(line);
      };
      this.#listeners.add(resolveIfLogged);
      resolveIfLogged();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  killLineProcess(signal: NodeJS.Signals): void {
    process.kill(this.linePid, signal);
  }
}

const trySignal = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // the process has ended already
  }
};

/** Pairs start one after the other: four processes that start at the same time would leave no core to the other tests. */
let lastStart: Promise<unknown> = Promise.resolve();

/** Starts an insurer with its own line, and workers on it. All end with the test. */
async function openWorld() {
  const insurerId = `kk-${randomUUID().slice(0, 8)}`;
  const insurer = await startInsurer();
  const gate: GateStore = openGate(createGateClient(process.env['AWS_REGION'] ?? 'eu-central-1'), insurerId);
  const workers: Worker[] = [];

  const startWorker = (name: string, environment: NodeJS.ProcessEnv = {}): Worker => {
    const worker = new Worker(name, {
      INSURER_ID: insurerId,
      INSURER_BASE_URL: insurer.url,
      AWS_REGION: process.env['AWS_REGION'] ?? 'eu-central-1',
      LEASE_MS: String(leaseMs),
      PAUSE_GRACE_MS: String(pauseGraceMs),
      LINE_MIN_GAP_MS: '50',
      ...environment,
    });
    workers.push(worker);
    return worker;
  };

  return {
    insurer,
    gate,
    startWorker,
    /** Starts two workers. The first one returned is the one that sends. */
    async startPair(environment?: NodeJS.ProcessEnv): Promise<[Worker, Worker]> {
      const start = async (): Promise<[Worker, Worker]> => {
        const pair = [startWorker('anton', environment), startWorker('berta', environment)] as const;
        const [first] = await Promise.all([
          insurer.nextRequest(),
          ...pair.map((worker) => worker.logs('line process ready')),
        ]);
        return first === 'anton' ? [pair[0], pair[1]] : [pair[1], pair[0]];
      };
      const starting = lastStart.then(start);
      lastStart = starting.catch(() => {});
      return await starting;
    },
    async requests(count: number): Promise<void> {
      for (let left = count; left > 0; left -= 1) await insurer.nextRequest();
    },
    pauseNow: async () =>
      await gate.pause({ by: 'olga', reason: 'maintenance', seen: (await gate.read()).changeNumber }),
    resumeNow: async () => await gate.resume({ by: 'olga', reason: 'done', seen: (await gate.read()).changeNumber }),
    async close(): Promise<void> {
      for (const { linePid } of workers) if (linePid !== undefined) trySignal(linePid, 'SIGCONT');
      await Promise.all(
        workers
          .filter((worker) => worker.process.exitCode === null && worker.process.signalCode === null)
          .map(async (worker) => {
            worker.kill('SIGCONT');
            worker.kill('SIGKILL'); // its line process is awake again and ends with it
            await once(worker.process, 'exit');
          }),
      );
      insurer.close();
    },
  };
}

const test = base.extend('world', async ({ task: _ }, { onCleanup }) => {
  const world = await openWorld();
  onCleanup(world.close);
  return world;
});

/** Environment of a worker whose wall clock jumps with the file of this name. */
const shiftedClock = (name: string): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import=${new URL('../../test/chaos/shifted-clock.fixture.mjs', import.meta.url).pathname}`,
  WALL_CLOCK_OFFSET_FILE: join(clocks, name),
});
const jump = (name: string, hours: number): void => writeFileSync(join(clocks, name), String(hours * 3_600_000));
const clocks = mkdtempSync(join(tmpdir(), 'epa-sync-clocks-'));
afterAll(() => rmSync(clocks, { recursive: true }));

async function tookMs(event: Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await event;
  return performance.now() - startMs;
}
const from = (worker: Worker) => (name: string) => name === worker.name;

/** These tests run concurrently, because they hold on a busy machine, too. */
describe.concurrent('concurrent tests', () => {
  test('the holder reports a change that is not acknowledged, after five seconds and not before', async ({
    expect,
    world: { gate, startPair, pauseNow, resumeNow },
  }) => {
    const [holder, other] = await startPair();
    const { changeNumber } = await pauseNow();
    expect(await tookMs(holder.logs('unacknowledged'))).toBeGreaterThanOrEqual(4_900); // a read of the gate may be in flight at the pause
    await gate.acknowledge(changeNumber);
    await resumeNow();
    expect(await tookMs(holder.logs('unacknowledged', 2))).toBeGreaterThanOrEqual(4_900);
    expect(await tookMs(holder.logs('unacknowledged', 3))).toBeGreaterThanOrEqual(4_900);
    expect(other.logged.some(({ event }) => event === 'unacknowledged')).toBe(false);
  }, 30_000);

  test('after kill -9 of the line process, the main process starts another one and continues', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder] = await startPair();
    insurer.answer = hang;
    await insurer.nextRequest();
    insurer.answer = answerSoon;
    const next = requests(3);
    holder.killLineProcess('SIGKILL');
    await next;
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a line process that freezes during a request is killed by its main process, and nothing overlaps when it wakes', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder] = await startPair();
    insurer.answer = hang;
    await insurer.nextRequest();
    insurer.answer = answerSoon;
    const frozen = holder.linePid;
    const next = requests(3);
    process.kill(frozen, 'SIGSTOP');
    await holder.logs('line process killed');
    await next;
    trySignal(frozen, 'SIGCONT');
    await requests(5);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a line process whose event loop blocks during a request is killed before the line continues', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    await startPair();
    insurer.answer = (response) => {
      response.write('stall 15000');
      insurer.answer = answerSoon;
    };
    await insurer.nextRequest();
    expect(await tookMs(requests(3))).toBeLessThan(leaseMs + 3_000);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a main process that freezes longer than its lease loses the line: its line process aborts on its own clock, and waking changes nothing', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    holder.kill('SIGSTOP');
    await insurer.nextRequest(from(other));
    holder.kill('SIGCONT');
    const arrivedBefore = insurer.arrivals.length;
    await requests(40);
    expect(insurer.overlaps).toBe(0);
    expect(insurer.arrivals.slice(arrivedBefore).filter(({ worker }) => worker === holder.name)).toEqual([]);
  }, 30_000);

  test('if both processes freeze one after the other without a request in flight, they send nothing when they wake', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response, worker) => {
      if (worker === other.name) return answerSoon(response);
      holder.kill('SIGSTOP');
      response.end('{}');
      response.once('close', () => holder.killLineProcess('SIGSTOP'));
    };
    await insurer.nextRequest();
    await insurer.nextRequest(from(other));
    const arrivedBefore = insurer.arrivals.length;
    holder.killLineProcess('SIGCONT');
    await requests(20); // only the line process is awake, for half a second: its main process cannot have killed it yet
    holder.kill('SIGCONT');
    await requests(20);
    expect(insurer.overlaps).toBe(0);
    expect(insurer.arrivals.slice(arrivedBefore).filter(({ worker }) => worker === holder.name)).toEqual([]);
  }, 30_000);

  test('the next holder of a paused line sends nothing, and the pause stays confirmed', async ({
    expect,
    world: { insurer, gate, startPair, pauseNow },
  }) => {
    const [holder] = await startPair();
    await pauseNow();
    await gate.awaitSilence(never);
    const arrived = insurer.arrivals.length;
    const exited = once(holder.process, 'exit');
    holder.kill('SIGTERM');
    await exited;
    await expect.poll(async () => (await gate.read()).holder, { timeout: 5_000 }).toBeDefined();
    expect(await gate.read()).toMatchObject({ state: 'paused', silent: true });
    expect(insurer.arrivals.length).toBe(arrived);
  }, 30_000);

  test('a cooldown also applies to the worker that takes over', async ({
    expect,
    world: { insurer, gate, startPair },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response) => {
      response.writeHead(429, { 'retry-after': '3' }).end();
      insurer.answer = answerSoon;
    };
    await insurer.nextRequest();
    const heldFromMs = insurer.arrivals.at(-1)?.atMs ?? 0;
    await expect.poll(async () => (await gate.read()).cooldownMs, { timeout: 2_000 }).toBeGreaterThan(1_000);
    const next = insurer.nextRequest();
    holder.kill('SIGTERM');
    expect(await next).toBe(other.name);
    expect((insurer.arrivals.at(-1)?.atMs ?? 0) - heldFromMs).toBeGreaterThanOrEqual(3_000);
  }, 30_000);

  test('a cooldown that starts while the main process is frozen applies to the worker that takes over', async ({
    expect,
    world: { insurer, gate, startPair },
  }) => {
    const [holder, other] = await startPair();
    let hanging: ServerResponse | undefined;
    insurer.answer = (response) => {
      hanging = response;
    };
    await insurer.nextRequest();
    holder.kill('SIGSTOP');
    insurer.answer = answerSoon;
    hanging?.writeHead(429, { 'retry-after': '4' }).end(); // longer than the rest of the lease
    const heldFromMs = performance.now();
    await expect.poll(async () => (await gate.read()).cooldownMs, { timeout: 2_000 }).toBeGreaterThan(2_000);
    expect(await insurer.nextRequest()).toBe(other.name);
    expect((insurer.arrivals.at(-1)?.atMs ?? 0) - heldFromMs).toBeGreaterThanOrEqual(4_000);
    holder.kill('SIGCONT');
  }, 30_000);

  test('a cooldown keeps its length although the wall clocks jump by an hour', async ({
    expect,
    world: { insurer, startWorker },
  }) => {
    const holder = startWorker('anton', shiftedClock('anton'));
    await insurer.nextRequest();
    const other = startWorker('berta', shiftedClock('berta'));
    await other.logs('line process ready');
    insurer.answer = (response) => {
      response.writeHead(429, { 'retry-after': '4' }).end();
      jump(holder.name, 1);
      jump(other.name, -1);
      insurer.answer = answerSoon;
    };
    await insurer.nextRequest();
    const heldFromMs = insurer.arrivals.at(-1)?.atMs ?? 0;
    const next = insurer.nextRequest();
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // time for the holder to send a forbidden request
    jump(other.name, 1);
    holder.kill('SIGTERM');
    expect(await next).toBe(other.name);
    const heldMs = (insurer.arrivals.at(-1)?.atMs ?? 0) - heldFromMs;
    expect(heldMs).toBeGreaterThanOrEqual(4_000);
    expect(heldMs).toBeLessThan(6_000);
  }, 30_000);

  test('a jump of the wall clocks by an hour neither ends nor extends a lease', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair(shiftedClock('both'));
    for (const hours of [1, -1]) {
      jump('both', hours);
      await requests(40);
    }
    expect(new Set(insurer.arrivals.map(({ worker }) => worker))).toEqual(new Set([holder.name]));
    const next = insurer.nextRequest(from(other));
    holder.kill('SIGKILL');
    jump('both', 0);
    expect(await tookMs(next)).toBeLessThan(leaseMs + 2_000);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('if the insurer rejects our credentials, the line pauses itself, and reports it once the gate has the pause', async ({
    expect,
    world: { insurer, gate, startPair },
  }) => {
    const [holder] = await startPair();
    insurer.answer = (response) => {
      response.writeHead(401).end();
      insurer.answer = answerSoon;
    };
    await insurer.nextRequest();
    const arrived = insurer.arrivals.length;
    await expect.poll(async () => (await gate.read()).silent, { timeout: 2_000 }).toBe(true);
    expect(await gate.read()).toMatchObject({ state: 'paused', by: 'system', reason: 'unauthorized' });
    expect(await holder.logs('paused by system')).toMatchObject({ reason: 'unauthorized' });
    expect(holder.logged.filter(({ event }) => event === 'paused by system')).toHaveLength(1);
    expect(insurer.arrivals.length).toBe(arrived);
  }, 30_000);
});

describe('tests that measure times, one after the other', () => {
  test('of two workers one sends, and after its SIGTERM the other one continues within a second', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair();
    await requests(10);
    expect(new Set(insurer.arrivals.map(({ worker }) => worker))).toEqual(new Set([holder.name]));
    const handedOver = insurer.nextRequest(from(other));
    const exited = once(holder.process, 'exit');
    holder.kill('SIGTERM');
    expect(await tookMs(handedOver)).toBeLessThan(1_000);
    expect((await exited)[0]).toBe(0);
    await requests(5);
    expect(insurer.overlaps).toBe(0);
    const numbers = insurer.arrivals.map(({ leaseNumber }) => leaseNumber);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }, 30_000);

  test('on SIGTERM a hanging request is aborted, and the line is handed over', async ({
    expect,
    world: { insurer, startPair },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    const handedOver = insurer.nextRequest(from(other));
    holder.kill('SIGTERM');
    expect(await tookMs(handedOver)).toBeLessThan(1_200);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('after kill -9 of the main process, its line process ends immediately, and the other worker sends once the lease is over', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    const next = insurer.nextRequest(from(other));
    holder.kill('SIGKILL');
    const [idleAfterMs, nextAfterMs] = await Promise.all([tookMs(insurer.becomesIdle()), tookMs(next)]);
    expect(idleAfterMs).toBeLessThan(500);
    expect(nextAfterMs).toBeLessThan(leaseMs + 2_000);
    await requests(5);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a pause is confirmed once the request in flight is aborted, and nothing is sent until the resume', async ({
    expect,
    world: { insurer, gate, startPair, pauseNow, resumeNow },
  }) => {
    await startPair();
    insurer.answer = hang;
    await insurer.nextRequest();
    insurer.answer = answerSoon;
    const pausedMs = await tookMs(pauseNow().then(() => gate.awaitSilence(never)));
    expect(pausedMs).toBeLessThan(pauseGraceMs + 1_000);
    expect(pausedMs).toBeGreaterThan(pauseGraceMs / 2);
    const arrived = insurer.arrivals.length;
    expect(insurer.inFlight).toBe(0);
    const sentWhilePaused = insurer.nextRequest().then(() => 'sent');
    const longerThanTheLease = new Promise((resolve) => setTimeout(resolve, leaseMs + 500, 'nothing sent'));
    expect(await Promise.race([sentWhilePaused, longerThanTheLease])).toBe('nothing sent');
    expect(insurer.arrivals.length).toBe(arrived);
    const resumed = insurer.nextRequest();
    await resumeNow();
    expect(await tookMs(resumed)).toBeLessThan(1_000);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a pause during a freeze of the main process is confirmed once its lease is over', async ({
    expect,
    world: { insurer, gate, startWorker, pauseNow },
  }) => {
    const holder = startWorker('anton');
    await insurer.nextRequest();
    holder.kill('SIGSTOP');
    await pauseNow();
    expect(await tookMs(gate.awaitSilence(never))).toBeLessThan(leaseMs + 1_000);
    expect(insurer.inFlight).toBe(0);
    const arrived = insurer.arrivals.length;
    holder.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // nothing may happen, so there is no event to wait for
    expect(insurer.arrivals.length).toBe(arrived);
  }, 30_000);

  test('a line process that freezes during a request ends with its main process, and none of its sockets stays open', async ({
    expect,
    world: { insurer, startPair, requests },
  }) => {
    const [holder, other] = await startPair();
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    const next = insurer.nextRequest(from(other));
    holder.killLineProcess('SIGSTOP');
    holder.kill('SIGKILL');
    expect(await tookMs(insurer.becomesIdle())).toBeLessThan(500);
    await next;
    await requests(5);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a line process that freezes while the gate is unreachable is killed at the end of the lease, not when it wakes', async ({
    expect,
    world: { insurer, startWorker, requests },
  }) => {
    await using way = await startDatabaseWay();
    const holder = startWorker('anton', { AWS_ENDPOINT_URL: way.url });
    await insurer.nextRequest();
    const other = startWorker('berta');
    await other.logs('line process ready');
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    const next = insurer.nextRequest(from(other));
    way.disconnect();
    await holder.logs('gate unavailable');
    await new Promise((resolve) => setTimeout(resolve, 1_300)); // after a longer wait, the missing answers would be noticed only after the end of the lease
    const frozen = holder.linePid;
    process.kill(frozen, 'SIGSTOP');
    expect(await holder.logs('line process killed')).toMatchObject({
      why: 'not closed after the end of its send permit',
    });
    await next;
    trySignal(frozen, 'SIGCONT');
    await requests(5);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a worker that is stopped while the gate is unreachable aborts immediately, and ends when its lease is over', async ({
    expect,
    world: { insurer, startWorker, requests },
  }) => {
    await using way = await startDatabaseWay();
    const holder = startWorker('anton', { AWS_ENDPOINT_URL: way.url });
    await insurer.nextRequest();
    const other = startWorker('berta');
    await other.logs('line process ready');
    insurer.answer = (response, worker) => worker === other.name && answerSoon(response);
    await insurer.nextRequest();
    const next = insurer.nextRequest(from(other));
    way.disconnect();
    const exited = once(holder.process, 'exit');
    holder.kill('SIGTERM');
    expect(await tookMs(insurer.becomesIdle())).toBeLessThan(500);
    expect(await tookMs(next)).toBeLessThan(leaseMs + 1_000);
    expect((await exited)[0]).toBe(0);
    await requests(5);
    expect(insurer.overlaps).toBe(0);
  }, 30_000);

  test('a worker whose line process does not become ready reports that it is not well', async ({
    expect,
    world: { gate },
  }) => {
    const missing = new URL('./not-there.ts', import.meta.url);
    const keeper = await startKeeper({
      config: { LEASE_MS: 500 },
      gate,
      log: createLog('keeper', () => {}),
      startLineProcess: forkedFrom(missing),
    });
    expect(keeper.isHealthy).toBe(true); // less than a lease has passed
    await expect.poll(() => keeper.isHealthy, { timeout: 5_000 }).toBe(false);
    await keeper.stop();
  }, 30_000);
});
