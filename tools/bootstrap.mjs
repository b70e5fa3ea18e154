// Runs on any Node >= 20: installs what the lockfile names if that has not been done, then hands over to the pinned Node.
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

/** @param {string} printed @returns {string} what to do about it */
function reasonOf(printed) {
  const { bavail, bsize } = statfsSync(root); // npm has taken away what it could not finish, so its word counts as well
  if (/ENOSPC|no space left/i.test(printed) || bavail * bsize < 50e6)
    return 'the disk is full: free some space, then start again';
  if (/network|registry|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|E40\d/i.test(printed))
    return 'the first start needs the npm registry; start again when the network is back';
  return 'see above';
}

const [script, ...rest] = process.argv.slice(2);
// by the channel the script knows when this process is gone, even by kill -9
const child = spawn(node, [join(root, script), ...rest], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
