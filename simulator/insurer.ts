import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { answerRequest } from './behaviour.ts';
import { type InsurerControls, openControlPort } from './control-port.ts';
import type { ListServing } from './correct-answer.ts';
import { pollAllSockets } from './exchange.ts';
import { defaultFaults, FaultPlan, type FaultSettings, isFaultKind } from './faults.ts';
import { LinePort } from './line-port.ts';
import { ListBody } from './list-body.ts';
import { LineLog, type Summary } from './log.ts';
import { type Step, World, type WorldOptions } from './world.ts';

export interface InsurerOptions extends Partial<WorldOptions>, Partial<FaultSettings>, Partial<ListServing> {
  /** 0 (default): any free port. */
  port?: number;
  controlPort?: number;
  /** The only valid bearer token. */
  token?: string;
  /** `mixed` (default): Content-Length or chunked, chosen by the seed. */
  framing?: 'content-length' | 'chunked' | 'mixed';
  /** File that keeps the simulated days, so that the same world continues after a restart. */
  stateFile?: string;
  /** How many entries the log keeps (200 000). */
  keepLog?: number;
}

export interface Insurer extends InsurerControls, AsyncDisposable {
  readonly controlUrl: string;
  readonly token: string;
  /** Resolves when the condition holds. It is checked after each event on the line. */
  until(holds: (summary: Summary) => boolean, signal?: AbortSignal): Promise<void>;
  /** Resolves when this many requests have begun since the log was started or reset. */
  requestArrives(count: number, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a simulated insurer (insurer-api.yaml) on loopback, with its control port.
 * @throws the system's error, such as EADDRINUSE, if a port is not available; then nothing is left listening
 */
export async function startInsurer(options: InsurerOptions = {}): Promise<Insurer> {
  const { token = 'insurer-token', stateFile } = options;
  const world = openWorld(options);
  let list = new ListBody(world.list);
  const log = new LineLog(() => world.day, options.keepLog ?? 200_000);
  const plan = new FaultPlan(world.options.seed, { ...defaultFaults, ...faultSettings(options) });
  const serving = {
    etag: options.etag ?? 'strong',
    ranges: options.ranges ?? true,
    framing: options.framing ?? 'mixed',
  } as const;
  const port: LinePort = new LinePort({
    log,
    token,
    answer: (exchange, request) =>
      answerRequest(
        { world, list: () => list, log, plan, serving, refuseNext: (closedForMs) => port.refuseNext(closedForMs) },
        exchange,
        request,
      ),
  });

  const applyStep = (step: Step): void => {
    world.apply(step);
    if (step.kind !== 'list') log.newDay();
    if (step.kind !== 'unchanged-day') list = new ListBody(world.list);
    void list.sizeBytes();
    if (stateFile !== undefined) saveState(stateFile, world);
  };
  const until = (holds: (summary: Summary) => boolean, signal?: AbortSignal): Promise<void> =>
    log.until(() => holds(log.summary()), signal);

  await list.sizeBytes(); // takes seconds with a million entries, so it is done before the port opens
  const linePort = await port.listen(options.port ?? 0);

  const insurer: Insurer = {
    baseUrl: `http://127.0.0.1:${linePort}`,
    controlUrl: '',
    token,
    world,
    log: (sinceNumber = 0) => log.since(sinceNumber),
    summary: () => log.summary(),
    resetLog: () => log.reset(),
    nextDay: (changes = {}) => applyStep({ kind: 'next-day', ...changes }),
    unchangedDay: () => applyStep({ kind: 'unchanged-day' }),
    firstDay: () => applyStep({ kind: 'first-day' }),
    setList: (mode, share) => applyStep({ kind: 'list', mode, ...(share === undefined ? {} : { share }) }),
    setFaults(settings) {
      plan.settings = { ...plan.settings, ...faultSettings(settings) };
    },
    script: (...rules) => plan.add(rules),
    clearScript() {
      plan.clearScript();
      port.acceptConnections();
    },
    async setPaused(isPaused) {
      if (isPaused) await pollAllSockets();
      log.setPaused(isPaused);
    },
    patients: () => world.patients(),
    malformed: () => world.malformed(),
    until,
    requestArrives: (count, signal) => log.until(() => log.requests >= count, signal),
    closeListener: (closedForMs) => port.refuseNext(closedForMs),
    resetConnections: () => port.resetConnections(),
    async close() {
      await Promise.all([port.close(), control.close()]);
    },
    [Symbol.asyncDispose]: () => insurer.close(),
  };
  const control = await openControlPort(insurer, options.controlPort ?? 0).catch(async (error) => {
    await port.close();
    throw error;
  });
  return Object.assign(insurer, { controlUrl: control.url });
}

function faultSettings(options: Partial<FaultSettings>): Partial<FaultSettings> {
  for (const kind of Object.keys(options.mix ?? {})) {
    if (!isFaultKind(kind)) throw new RangeError(`unknown fault: ${kind}`);
  }
  const names = Object.keys(defaultFaults) as (keyof FaultSettings)[];
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

interface SavedState {
  options: Required<WorldOptions>;
  steps: Step[];
}

/** Continues the world of the state file if the options are the same. Otherwise starts with the first day. */
function openWorld(options: InsurerOptions): World {
  const first = new World(worldOptions(options));
  if (options.stateFile === undefined || !existsSync(options.stateFile)) return first;
  const saved = JSON.parse(readFileSync(options.stateFile, 'utf8')) as SavedState;
  return JSON.stringify(saved.options) === JSON.stringify(first.options)
    ? new World(first.options, saved.steps)
    : first;
}

function worldOptions(options: InsurerOptions): WorldOptions {
  const world: WorldOptions = { seed: options.seed ?? 1, patients: options.patients ?? 200 };
  for (const name of worldOptionNames) {
    const value = options[name];
    if (value !== undefined) world[name] = value;
  }
  return world;
}

const worldOptionNames = [
  'identicalDuplicates',
  'differingDuplicates',
  'malformedEntries',
  'notInsuredShare',
  'unknownShare',
  'newlyInsured',
  'largeDocuments',
  'largeDocumentBytes',
  'largeRecords',
] as const;

function saveState(path: string, world: World): void {
  const state: SavedState = { options: world.options, steps: world.steps };
  writeFileSync(`${path}.new`, JSON.stringify(state));
  renameSync(`${path}.new`, path); // atomic
}
