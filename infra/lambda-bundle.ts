import { copyFileSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';

const root = dirname(import.meta.dirname);

/**
 * Bundles all Lambdas into one folder: a file `{function}.mjs` for each, which exports `handler`, shared files, and the
 * fonts of reports.
 * Includes all packages, even the AWS SDK, so that the tested version runs, and not the one that Lambda provides.
 */
export function bundleLambdas(outdir: string): void {
  buildSync({
    absWorkingDir: root,
    entryPoints: globSync('lambdas/functions/*.ts', { cwd: root }).sort(), // sorted, so that the output is reproducible
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    platform: 'node',
    mainFields: ['module', 'main'], // ES modules are bundled without unused code, and load in a quarter less CPU time
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    banner: { js: createRequire },
    minify: true,
    keepNames: true, // logs show errors by name
    sourcemap: 'linked',
    sourcesContent: false, // positions in a stack trace are enough
    logLevel: 'error',
  });
  for (const file of ['package.json', 'ttf/DejaVuSans.ttf', 'ttf/DejaVuSans-Bold.ttf']) {
    const name = join('node_modules', 'dejavu-fonts-ttf', file); // lambdas/reports/pdf.ts reads it as a file
    mkdirSync(dirname(join(outdir, name)), { recursive: true });
    copyFileSync(join(root, name), join(outdir, name));
  }
  if (globSync('*.mjs', { cwd: outdir }).length === 0)
    throw new Error(`no Lambdas found in ${join(root, 'lambdas', 'functions')}`);
}

/** Some packages are CommonJS and call `require` for modules of Node. */
const createRequire = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";
