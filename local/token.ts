import { ConfigError } from '../core/config.ts';
import { type Role, roles } from '../core/domain/access.ts';
import { errorLine } from '../terminal/start-failure.ts';
import { readEndpoints } from './endpoints.ts';
import { fetchToken } from './oidc/token.ts';
import { keepLoopbackDirect } from './proxy.ts';
import { pathsIn, readSettings } from './settings.ts';

keepLoopbackDirect(process.env);

const usage = `npm run --silent token -- <role>: prints an access token of the role's demo user, valid for an hour
  <role>  ${roles.join(', ')}
Finds the stack of npm start by LOCAL_DIR.
Exit codes: 0 done, 1 failed, 2 wrong usage, 4 no stack runs`;

const complain = (line: string): void => void process.stderr.write(`epa-sync: ${line}\n`);

/** @returns the exit code */
async function main(): Promise<number> {
  const [role, ...rest] = process.argv.slice(2);
  if (role === '--help') {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (!roles.includes(role as Role) || rest.length > 0) {
    complain(`${role === undefined ? 'a role is needed' : `no role ${[role, ...rest].join(' ')}`}\n${usage}`);
    return 2;
  }
  const { localDir } = readSettings(process.env);
  const endpoints = readEndpoints(localDir);
  if (endpoints === undefined) {
    complain(`no stack runs in ${localDir}. Start one with npm start, or set LOCAL_DIR.`);
    return 4;
  }
  const token = await fetchToken(endpoints.oidcIssuer, pathsIn(localDir).issuerKeys, role as Role);
  process.stdout.write(`${token}\n`);
  return 0;
}

process.exitCode = await main().catch((error: unknown) => {
  complain(error instanceof ConfigError ? error.message : errorLine(error));
  return 1;
});
