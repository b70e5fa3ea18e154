/**
 * The arrows of docs/explanation/architecture.md, "Allowed imports", in two readings of the sources (tools/check-dependency-rules.ts): with all imports, and with
 * only those that are left at run time.
 */
const notTests = '\\.(test|fixture)\\.ts$|/testing/';

const allImports = [
  {
    name: 'core-stands-alone',
    severity: 'error',
    from: { path: '^core/', pathNot: notTests },
    to: { path: '^(worker|lambdas|infra|console|local|bench|test)/' },
  },
  {
    name: 'parts-know-core-only',
    comment: 'what is deployed knows nothing of its neighbours',
    severity: 'error',
    from: { path: '^(worker|lambdas|infra)/', pathNot: notTests },
    to: {
      path: '^(worker|lambdas|infra|console|local|bench|test)/',
      // the table of operations, which the routes are made of; how the console is built, and what it is served with
      pathNot: ['^$1/', '^lambdas/(routes|problems)\\.ts$', '^console/(build|security-headers)\\.ts$'],
    },
  },
  {
    name: 'console-knows-the-api',
    comment: 'its types, which the schemas are that validate there; nothing of it runs in a browser (below)',
    severity: 'error',
    from: { path: '^console/', pathNot: notTests },
    to: {
      path: '^(worker|lambdas|infra|local|bench|test)/',
      pathNot: '^lambdas/(schemas|problems)\\.ts$',
    },
  },
  {
    name: 'local-stands-outside',
    comment: 'it starts the other parts as processes',
    severity: 'error',
    from: { path: '^local/', pathNot: notTests },
    to: { path: '^(worker|lambdas|infra|console|bench|test)/', pathNot: '^console/(build|security-headers)\\.ts$' },
  },
  {
    name: 'simulator-knows-nobody',
    comment: 'a judge that shared code with the judged would share its mistakes',
    severity: 'error',
    from: { path: '^simulator/', pathNot: notTests },
    to: { path: '^(core|worker|local)/', pathNot: '^simulator/' },
  },
  {
    name: 'no-unresolved',
    comment: 'aws-lambda is types alone (@types/aws-lambda); style sheets are not copied',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true, pathNot: '^aws-lambda$|\\.css$' },
  },
];

const importsAtRunTime = [
  { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'workflows-are-pure',
    comment: 'of activities only types; nothing with a clock, a network or chance',
    severity: 'error',
    from: { path: '^worker/workflows/', pathNot: notTests },
    to: { pathNot: '^(worker/workflows|core/domain|core/contract|node_modules/@temporalio/(workflow|common))/' },
  },
  {
    name: 'domain-is-pure',
    severity: 'error',
    from: { path: '^core/(domain|contract)/', pathNot: notTests },
    to: { pathNot: '^(core/(domain|contract|json)/|node_modules/zod/|crypto$)' },
  },
  {
    name: 'console-runs-alone',
    comment: 'what is bundled for the browser is console and core',
    severity: 'error',
    from: { path: '^console/', pathNot: notTests },
    to: { path: '^(worker|lambdas|infra|local|bench|test)/' },
  },
  {
    name: 'only-the-line-sends',
    comment: 'an HTTP client anywhere else could reach the insurer',
    severity: 'error',
    from: { path: '^(core|worker|lambdas)/', pathNot: `^worker/(line/|health\\.ts$)|${notTests}` }, // health listens, and asks nobody
    to: { path: '^(node_modules/undici/|https?$|net$|tls$)' },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: process.env.DEPENDENCY_RULES === 'run-time' ? importsAtRunTime : allImports,
  options: {
    doNotFollow: { path: 'node_modules' },
    parser: 'swc',
    preserveSymlinks: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs'],
      conditionNames: ['import', 'require', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
