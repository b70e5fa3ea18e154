import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';

const root = dirname(import.meta.dirname);

/**
 * Bundles all Lambdas into one folder: `{function}.mjs` each, exporting `handler`, and beside them what they share. With all
 * packages, the AWS SDK too: what is tested is what runs, whatever version Lambda would bring.
 */
export function bundleLambdas(outdir: string): void {
  buildSync({
    absWorkingDir: root,
    entryPoints: globSync('lambdas/functions/*.ts', { cwd: root }).sort(), // in any order, the output would differ
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    banner: { js: createRequire },
    minify: true,
    keepNames: true, // errors are told apart by their names in logs
    sourcemap: 'linked',
    sourcesContent: false, // places in a stack trace are enough
    logLevel: 'error',
  });
  if (globSync('*.mjs', { cwd: outdir }).length === 0) throw new Error(`no Lambdas in ${join(root, 'lambdas')}`);
}

/** Some packages are CommonJS and require what Node brings. */
const createRequire = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";
