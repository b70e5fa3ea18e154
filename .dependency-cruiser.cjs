const { readdirSync } = require('node:fs');

/**
 * The rules of docs/explanation/architecture.md, "Allowed imports". tools/check-dependency-rules.ts applies them twice:
 * once to all imports, and once to those that remain at run time.
 */
const notTests = '\\.(test|fixture)\\.ts$';

/** The top-level folders, which tools/check-dependency-rules.ts copies to where this file is applied. */
const parts = readdirSync(__dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
/** Matches the paths in all parts except the named ones. */
const partsBut = (...names) => `^(${parts.filter((part) => !names.includes(part)).join('|')})/`;

const allImports = [
  { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
  {
    name: 'core-stands-alone',
    severity: 'error',
    from: { path: '^core/', pathNot: notTests },
    to: { path: partsBut('core') },
  },
  {
    name: 'deployed-parts-know-core-only',
    comment: 'deployed code imports core and itself',
    severity: 'error',
    from: { path: '^(worker|lambdas|infra)/', pathNot: notTests },
    to: {
      path: partsBut('core'),
      // the stack makes routes from the table of operations, builds the console, and serves it with its headers
      pathNot: ['^$1/', '^lambdas/http/(routes|problems)\\.ts$', '^console/(build|security-headers)\\.ts$'],
    },
  },
  {
    name: 'console-knows-the-api',
    comment: 'types of the schemas that validate in the API; console-runs-alone keeps their code out of the browser',
    severity: 'error',
    from: { path: '^console/', pathNot: notTests },
    to: { path: partsBut('core', 'console'), pathNot: '^lambdas/http/(schemas|problems)\\.ts$' },
  },
  {
    name: 'terminal-knows-core-only',
    severity: 'error',
    from: { path: '^terminal/', pathNot: notTests },
    to: { path: partsBut('core', 'terminal') },
  },
  {
    name: 'local-starts-processes',
    comment: 'starts the other parts as processes',
    severity: 'error',
    from: { path: '^local/', pathNot: notTests },
    to: { path: partsBut('core', 'local', 'terminal'), pathNot: '^console/(build|security-headers)\\.ts$' },
  },
  {
    name: 'cli-asks-the-api',
    comment: 'needs local for the address of the running stack and for tokens',
    severity: 'error',
    from: { path: '^cli/', pathNot: notTests },
    to: { path: partsBut('core', 'cli', 'local', 'terminal') },
  },
  {
    name: 'simulator-knows-nobody',
    comment: 'a judge that shared code with the judged would share its mistakes',
    severity: 'error',
    from: { path: '^simulator/', pathNot: notTests },
    to: { path: partsBut('simulator') },
  },
  {
    name: 'line-knows-no-insurer',
    comment: 'the line sends requests and knows nothing about their meaning',
    severity: 'error',
    from: { path: '^worker/line/', pathNot: notTests },
    to: { path: '^worker/(insurer|activities|workflows|reporting)/' },
  },
  {
    name: 'one-place-chooses-the-adapter',
    comment: "another insurer's adapter takes the place of this one (docs/adr/0047)",
    severity: 'error',
    from: {
      path: partsBut('bench'),
      pathNot: [notTests, '^worker/line-main\\.ts$', '^worker/insurer/json-adapter/', '^test/'],
    },
    to: { path: '^worker/insurer/json-adapter/' },
  },
  {
    name: 'no-unresolved',
    comment: 'aws-lambda and fhir have only types (@types/…); style sheets are not copied',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true, pathNot: '^(aws-lambda|fhir/r4\\.js)$|\\.css$' },
  },
];

const importsAtRunTime = [
  {
    name: 'workflows-are-pure',
    comment: 'workflows replay, so they import only types of activities, and no clock, network or randomness',
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
    comment: 'the bundle for the browser contains only console and core',
    severity: 'error',
    from: { path: '^console/', pathNot: notTests },
    to: { path: partsBut('core', 'console') },
  },
  {
    name: 'only-the-line-sends',
    comment: 'an HTTP client anywhere else could reach the insurer',
    severity: 'error',
    from: { path: '^(core|worker|lambdas)/', pathNot: `^worker/(line/|health\\.ts$)|${notTests}` }, // health.ts listens and sends no request
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
