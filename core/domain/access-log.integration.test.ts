import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AccessEntry } from './access.ts';
import { chainOf, draftArbitrary, draftOf, earlierChainOf, patientRef } from './access-log.fixture.ts';
import { asHashed, type StoredEntry } from './access-log.ts';

test('an auditor who follows the docs gets the same hashes', async () => {
  const docs = await readFile(new URL('../../docs/reference/access-log.md', import.meta.url), 'utf8');
  const script = /```python\n(.*?)```/s.exec(docs)?.[1] ?? '';
  const audit = async (entries: readonly AccessEntry[]) =>
    await new Promise<string>((resolve) => {
      const python = execFile('python3', ['-c', script], (_error, stdout, stderr) => resolve(stdout + stderr));
      python.stdin?.end(JSON.stringify(entries));
    });
  const drafts = fc.sample(draftArbitrary, { numRuns: 200, seed: 7 });
  const name = 'Änne "O\'Neil"\\ \u2028\u0000\u007f/😀 \ud800';
  const entries = chainOf([...drafts, { ...draftOf(1), agent: { who: 'u', name, role: 'clinician' } }]);
  const valid = `${patientRef}: valid up to seq 201, hash ${entries.at(-1)?.hash}\n`;
  expect(await audit(entries)).toBe(valid);
  const earlier = earlierChainOf(drafts);
  expect(await audit(earlier.map(asHashed))).toBe(`${patientRef}: valid up to seq 200, hash ${earlier.at(-1)?.hash}\n`);
  const other = 'cd'.repeat(16);
  const linked = chainOf([{ ...draftOf(1), patientRef: other, operation: 'kvnr-change', nextPatientRef: patientRef }]);
  expect(await audit([...entries.slice(0, 100), ...linked, ...entries.slice(100)])).toBe(
    `${valid}${other}: valid up to seq 1, hash ${linked[0]?.hash}\n`,
  );
  expect(await audit(entries.toSpliced(99, 1))).toBe(`broken at seq 101 of ${patientRef}\n`);
  expect(await audit(entries.with(99, { ...(entries[99] as StoredEntry), outcome: 'failed', recorded: '' }))).toBe(
    `broken at seq 100 of ${patientRef}\n`,
  );
});
