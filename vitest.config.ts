import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By what they took on two cores. By itself vitest begins with the largest files, and the longest may come last, alone. */
const longest = [
  'emulated.integration',
  'api-failures',
  'chaos',
  'schemathesis',
  'crashes',
  'what-temporal-knows',
  'second-day',
  'cli',
  'decisions',
  'docs',
  'side-by-side',
  'cancelled',
  'metrics',
  'queries',
  'restore',
  'api-operations',
  'insurer-line',
  'patient-record',
  'operator',
  'odd-insurers',
  'deploy',
  'provisional',
  'refresh',
  'failures',
  'upgrade',
  'transfers',
  'quiet-hours',
  'people',
  'pages',
];
const rank = ({ moduleId }: TestSpecification): number => {
  const index = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
  return index < 0 ? longest.length : index;
};
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

/** Copies of sources may lie there, which tests have made. */
const notSources = ['node_modules/**', '.local/**', 'cdk.out/**'];

/** Whole stacks wait for more than half of their time: for leases, retries, and processes that start. */
const sideBySide = { sequence: { groupOrder: 4 }, maxWorkers: 5, hookTimeout: 120_000 };

/** Tests that allow a second or a few for an answer run after the others, three files at a time: the machine has room then. */
const withRoom = { sequence: { groupOrder: 5 }, maxWorkers: 3 };

/** A test's kind is seen in its name or its folder (CONTRIBUTING, "Tests"). */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './tools/last-lines.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.unit.test.ts'],
          exclude: notSources,
          sequence: { groupOrder: 0 },
          maxWorkers: '100%', // by itself vitest leaves a core to itself: half of a machine with two
          isolate: false, // loading the CDK and AWS SDKs again for each file takes twice as long as the tests
          env: { CDK_VALIDATION: 'false' }, // AWS's own rules take seconds for each app; infra/app.integration.test.ts asks them
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          sequence: { groupOrder: 1 }, // alone: it has a thread of its own for each core
          maxWorkers: 1,
          maxConcurrency: 2,
        },
      },
      {
        test: {
          name: 'model',
          include: ['test/model/model.test.ts'],
          sequence: { groupOrder: 2 }, // alone: it has a thread of its own for each core
          maxWorkers: 1,
          maxConcurrency: 2,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['**/*.integration.test.ts'],
          exclude: notSources,
          globalSetup: ['test/global-setup.ts'],
          sequence: { groupOrder: 3 },
          maxWorkers: 4, // more than half of their time they wait
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'end-to-end',
          include: ['test/end-to-end/*.test.ts'],
          globalSetup: ['test/prepare.ts'],
          ...sideBySide,
          expect: { poll: { interval: 100, timeout: 10_000 } }, // each poll calls Lambdas, Temporal or tables, and costs milliseconds of CPU
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'end-to-end-timed',
          include: ['test/end-to-end/timed/*.test.ts'],
          globalSetup: ['test/prepare.ts'],
          ...withRoom,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'end-to-end-alone', // what has so little time that the machine must have nothing else to do
          include: ['test/end-to-end/alone/*.test.ts'],
          globalSetup: ['test/prepare.ts'],
          sequence: { groupOrder: 6 },
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'api',
          include: ['test/api/**/*.test.ts'],
          globalSetup: ['test/prepare.ts'],
          ...sideBySide,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/*.test.ts'],
          globalSetup: ['test/browser/prepare.ts'],
          ...sideBySide,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'browser-timed',
          include: ['test/browser/timed/*.test.ts'],
          globalSetup: ['test/browser/prepare.ts'],
          ...withRoom,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          globalSetup: ['test/prepare.ts'],
          ...sideBySide,
        },
      },
    ],
  },
});
