import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { FaultSettings, ScriptRule } from './faults.ts';
import type { LogEntry, Summary } from './log.ts';
import type { MalformedEntry } from './patient-entry.ts';
import type { ListMode, NextDay, World, WorldPatient } from './world.ts';

/** What the control port can do with the insurer. */
export interface InsurerControls {
  readonly baseUrl: string;
  readonly world: World;
  /** Returns the entries of the log with a higher number. */
  log(sinceNumber?: number): LogEntry[];
  summary(): Summary;
  resetLog(): void;
  nextDay(changes?: NextDay): void;
  unchangedDay(): void;
  firstDay(): void;
  setList(mode: ListMode, share?: number): void;
  setFaults(settings: Partial<FaultSettings>): void;
  /** Adds rules for the next requests. Each request uses up the first rule that matches it. */
  script(...rules: ScriptRule[]): void;
  clearScript(): void;
  /** Tells the judge that a pause was confirmed, or has ended. Resolves when all requests sent before are recorded. */
  setPaused(isPaused: boolean): Promise<void>;
  /** Returns the true data of everyone on today's list, all in memory. */
  patients(): WorldPatient[];
  malformed(): MalformedEntry[];
  /** Refuses connections (ECONNREFUSED) for this time. */
  closeListener(closedForMs: number): void;
  resetConnections(): void;
}

type Json = Record<string, unknown>;
type Operation = (insurer: InsurerControls, body: unknown, query: URLSearchParams) => unknown;

const operations: Record<string, Operation> = {
  'GET /health': (insurer) => ({ ok: true, day: insurer.world.day, baseUrl: insurer.baseUrl }),
  'GET /log': (insurer, _, query) => insurer.log(Number(query.get('since') ?? 0)),
  'GET /summary': (insurer) => insurer.summary(),
  'POST /reset-log': (insurer) => done(insurer, insurer.resetLog()),
  'POST /next-day': (insurer, body) => done(insurer, insurer.nextDay(body as NextDay)),
  'POST /unchanged-day': (insurer) => done(insurer, insurer.unchangedDay()),
  'POST /first-day': (insurer) => done(insurer, insurer.firstDay()),
  'POST /list': (insurer, body) => {
    const { mode, share } = body as { mode: ListMode; share?: number };
    if (!['normal', 'empty', 'truncated'].includes(mode))
      throw new RangeError('mode must be normal, empty or truncated');
    return done(insurer, insurer.setList(mode, share));
  },
  'POST /faults': (insurer, body) => done(insurer, insurer.setFaults(body as Partial<FaultSettings>)),
  'POST /script': (insurer, body) => {
    if (Array.isArray(body) && body.length === 0) insurer.clearScript();
    return done(insurer, insurer.script(...((Array.isArray(body) ? body : [body]) as ScriptRule[])));
  },
  'POST /paused': async (insurer, body) => done(insurer, await insurer.setPaused((body as Json)['paused'] === true)),
  'POST /refuse': (insurer, body) => done(insurer, insurer.closeListener(Number((body as Json)['closedForMs'] ?? 0))),
  'POST /reset-connections': (insurer) => done(insurer, insurer.resetConnections()),
  'GET /world/patients': (insurer, _, query) => {
    const kvnrs = new Set(query.getAll('kvnr'));
    const patients = insurer.patients().filter(({ kvnr }) => kvnrs.size === 0 || kvnrs.has(kvnr));
    return { day: insurer.world.day, patients, malformed: insurer.malformed() };
  },
};

const done = (insurer: InsurerControls, _: unknown): Json => ({ day: insurer.world.day });

/** Opens the control port for tests: JSON over HTTP. It is not part of the insurer's contract. */
export async function openControlPort(
  insurer: InsurerControls,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://control');
    const operation = operations[`${request.method} ${pathname}`];
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (operation === undefined) return reply(404, { error: 'unknown operation', operations: Object.keys(operations) });
    readJson(request)
      .then((body) => operation(insurer, body, searchParams))
      .then((answer) => reply(200, answer))
      .catch((error: unknown) => reply(400, { error: error instanceof Error ? error.message : 'bad request' }));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : JSON.parse(text);
}
