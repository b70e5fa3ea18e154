import { parseArgs } from 'node:util';
import { ConfigError, clientConfig, readConfig } from '../core/config.ts';
import { lineItself } from '../core/domain/gate.ts';
import { openStores } from '../core/stores/open-stores.ts';
import { openTemporal } from '../core/temporal/connection.ts';
import { createDailySyncClient, type ProgressNow } from '../core/temporal/daily-sync-client.ts';
import { pauseLines, summaryLines } from '../terminal/progress-lines.ts';
import { createProgressView, type ProgressView } from '../terminal/progress-view.ts';
import { errorLine, StartFailure } from '../terminal/start-failure.ts';
import { DevEnvironment, type StartedEnvironment } from './dev-environment.ts';
import { keepLoopbackDirect } from './proxy.ts';
import { readSettings } from './settings.ts';
import { watchRun } from './watch-run.ts';

keepLoopbackDirect(process.env);

const usage = `npm start [-- options]: starts the whole stack on this machine, and a run
  --once      ends after the run; the exit code is 0 only if the run completed, and 5 if it completed with problems
  --fresh     deletes the data of earlier starts; by default, data is kept
  --external  uses the AWS emulator at AWS_ENDPOINT_URL and Temporal at TEMPORAL_ADDRESS (docker compose up -d)
  --help      prints this usage
Settings: PORT_BASE (9000), LOCAL_DIR (.local), INSURER_BASE_URL and INSURER_API_TOKEN (another insurer than the simulator)`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void =>
  void process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}epa-sync: ${line}\n`); // \r overwrites the ^C that a terminal shows
/** what draws on the terminal at the moment */
let view: ProgressView | undefined;

/** Ends the stack. The reason is a StartFailure if a part broke, or `Interrupted` with the name of a signal. */
const ending = new AbortController();
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** @returns the exit code */
async function main(): Promise<number> {
  const options = readArguments();
  if (options === undefined) return 2;
  if (options.help) {
    say(usage);
    return 0;
  }
  const startedAt = performance.now();
  const devEnvironment = new DevEnvironment({
    settings: readSettings(process.env),
    isFresh: options.fresh,
    isExternal: options.external,
    onStep: (what, seconds) => say(`  ${what.padEnd(40)} ${seconds.toFixed(1)} s`),
    onNote: (note) => {
      view?.end();
      complain(note);
    },
    onBroken: (reason) => ending.abort(new StartFailure(reason)),
  });
  ending.signal.addEventListener('abort', () => void devEnvironment.stop());
  try {
    const started = await devEnvironment.start();
    ending.signal.throwIfAborted();
    return await runAndWatch(started, options.once, (performance.now() - startedAt) / 1000);
  } catch (error) {
    // the first failure is the reason; the others are consequences of stopping
    throw ending.signal.aborted ? ending.signal.reason : error;
  } finally {
    if (ending.signal.reason instanceof Interrupted) complain('stopping …');
    await devEnvironment.stop();
  }
}

async function runAndWatch(
  { endpoints, environment }: StartedEnvironment,
  isOnce: boolean,
  seconds: number,
): Promise<number> {
  const config = readConfig(clientConfig, { ...process.env, ...environment });
  Object.assign(process.env, environment); // the AWS SDK reads its endpoint from the environment
  const stores = openStores(config);
  const client = openTemporal(config);
  try {
    const dailySync = createDailySyncClient(client, stores, config);
    const { runId, joined } = await dailySync.start();
    say(`run ${runId} ${joined ? 'continues, with a new list' : 'begins'}, ${seconds.toFixed(1)} s after the start`);
    const drawing = createProgressView(process.stdout);
    view = drawing;
    const run = { client, dailySync, insurerId: config.INSURER_ID };
    const show = (progress: ProgressNow): void => {
      drawing.show(progress);
      if (isOnce && progress.line.by === lineItself) throw new StartFailure(stuckLine(progress));
    };
    const last = await watchRun(run, runId, show, ending.signal);
    drawing.end();
    view = undefined;
    for (const line of last ? summaryLines(last) : [`run ${runId} ended without a result. See Temporal.`]) say(line);
    if (isOnce) return exitCodeOf(last?.state);
    say('');
    say(`  console        ${endpoints.console}`);
    say(`  API            ${endpoints.api}`);
    say(`  OIDC issuer    ${endpoints.oidcIssuer}`);
    if (endpoints.temporalUi !== undefined)
      say(`  Temporal       ${endpoints.temporalUi}/namespaces/${endpoints.temporalNamespace}/workflows`);
    say(`  AWS emulator   ${endpoints.aws}`);
    say(`  insurer        ${endpoints.insurer}`);
    say('');
    say('  in another terminal: npm run sync -- --help');
    say('                       npm run --silent token -- operator | clinician | management | auditor | integration');
    say('  Ctrl-C stops everything');
    await new Promise<void>((resolve) => ending.signal.addEventListener('abort', () => resolve()));
    throw ending.signal.reason;
  } finally {
    stores.close(); // Temporal's client stays open: its retry timer would throw after a close
  }
}

/** Exit code of a run that completed with problems, as of `npm run sync -- status --watch`. */
const hasProblems = 5;

function exitCodeOf(state: ProgressNow['state'] | undefined): number {
  if (state === 'completed-with-problems') return hasProblems;
  return state === 'completed' ? 0 : 1;
}

/** With --once nobody can resume a line that the system has paused, so the command fails with this message. */
const stuckLine = ({ line }: ProgressNow): string => {
  const lines = pauseLines(line);
  const [what = '', how = ''] = [lines.at(0), lines.at(-1)];
  return `${what.slice(2)}; ${how.trim()} (while npm start runs without --once)`;
};

function readArguments() {
  const boolean = { type: 'boolean', default: false } as const;
  try {
    const options = { once: boolean, fresh: boolean, external: boolean, help: boolean };
    const { values } = parseArgs({ options, allowPositionals: false });
    if (values.external && values.fresh) {
      complain(
        '--fresh cannot be combined with --external. To delete the data of the containers, use docker compose down -v.',
      );
      return undefined;
    }
    return values;
  } catch (error) {
    complain(`${(error as Error).message.split('. ')[0]}\n${usage}`);
    return undefined;
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => ending.abort(new Interrupted(signal)));
// the parent process is gone, even by kill -9: stop, because nobody could send a signal
process.on('disconnect', () => ending.abort(new Interrupted('SIGHUP')));
process.channel?.unref();
process.on('uncaughtException', (error) => ending.abort(error));
process.stdout.on('error', () => ending.abort(new Interrupted('SIGPIPE')));

const exitCode = await main().catch((error: unknown) => {
  if (error instanceof Interrupted) return error.message === 'SIGINT' ? 130 : 143;
  complain(error instanceof ConfigError ? error.message : errorLine(error));
  return 1;
});
process.exit(exitCode);
