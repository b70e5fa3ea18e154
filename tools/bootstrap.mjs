// Runs on any Node >= 20. Installs the packages of the lockfile if it has changed, then runs a script on the pinned Node.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const stamp = join(root, 'node_modules', '.epa-sync-installed');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (!existsSync(node) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  process.stderr.write('installing packages (npm ci) …\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0 || !existsSync(node)) {
    const printed = npm.stderr ?? '';
    process.stderr.write(`${printed}epa-sync: npm ci failed: ${reasonOf(printed)}\n`);
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}

/** @param {string} printed output of npm @returns {string} what to do */
function reasonOf(printed) {
  const { bavail, bsize } = statfsSync(root); // npm has deleted incomplete files, so its output counts as well
  if (/ENOSPC|no space left/i.test(printed) || bavail * bsize < 50e6)
    return 'the disk is full. Free some space, then start again.';
  if (/network|registry|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|E40\d/i.test(printed))
    return 'the npm registry is unreachable. Start again when the network is back.';
  return 'see the output above';
}

const [script, ...rest] = process.argv.slice(2);
// the IPC channel tells the script when this process is gone, even by kill -9
const child = spawn(node, [join(root, script), ...rest], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env: {
    // keeps compiled modules: the script and the processes that it starts take half of the CPU time from the second start on
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
    ...process.env,
    PATH: `${dirname(node)}:${process.env.PATH}`,
  },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
// npm sends a signal to its shell alone, which ends without telling this process. Started by hand, a parent may end.
const shell = process.ppid;
if (process.env.npm_lifecycle_event !== undefined)
  setInterval(() => process.ppid !== shell && child.kill('SIGTERM'), 500).unref();
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
