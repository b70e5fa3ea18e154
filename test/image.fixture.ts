import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
/** folder of the app in the image; tests use another folder */
const appDir = '/app';

/** What a container of the worker's image starts. */
export interface BuiltImage {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

/**
 * Builds worker/Dockerfile without a Docker engine. Runs the COPY and RUN lines of the build stage in an empty folder,
 * with the
 * first `node` of the PATH and only the copied files. Reads from the last stage what the container starts.
 * @throws Error with the output of a step
 */
export async function buildImage(dir: string): Promise<BuiltImage> {
  const [build = [], final = []] = stagesOf(readFileSync(join(root, 'worker', 'Dockerfile'), 'utf8'));
  const inDir = (text: string): string => text.replaceAll(appDir, dir);
  for (const { word, rest } of build) {
    if (word === 'COPY') copy(rest, dir);
    else if (word === 'RUN') await runStep(inDir(rest), dir);
    else if (word !== 'WORKDIR') throw new Error(`this instruction is not supported: ${word} ${rest}`);
  }
  const environment: Record<string, string> = {};
  let command: string[] = [];
  for (const { word, rest } of final) {
    if (word === 'ENV')
      for (const pair of inDir(rest).split(/\s+/))
        environment[pair.split('=')[0] ?? ''] = pair.slice(pair.indexOf('=') + 1);
    if (word === 'CMD') command = JSON.parse(rest) as string[];
  }
  return { command, environment };
}

/** Returns the instructions of each stage, without FROM. */
function stagesOf(dockerfile: string): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const line of dockerfile.split('\n')) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') stages.push([]);
    else if (word !== '') stages.at(-1)?.push({ word, rest });
  }
  return stages;
}

function copy(rest: string, dir: string): void {
  const paths = rest.split(/\s+/);
  const target = paths.pop() ?? '';
  for (const path of paths) {
    const to = target.endsWith('/') ? join(dir, target, path.split('/').at(-1) ?? '') : join(dir, target);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(root, path), to, { recursive: true, filter: (file) => !/\.(test|fixture)\.ts$/.test(file) });
  }
}

async function runStep(command: string, cwd: string): Promise<void> {
  const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`; // as in the image: the Node that runs this process
  const step = spawn('sh', ['-c', command], { cwd, env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [step.stdout, step.stderr]) stream.on('data', (bytes) => (output += bytes));
  const [code] = (await once(step, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command}: ${output.slice(-2_000)}`);
}
