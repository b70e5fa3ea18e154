import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyPerson } from '../../core/domain/access-log.ts';
import { factsOf, logOf, patientRef } from '../../core/domain/access-report.fixture.ts';
import { accessReport } from '../../core/domain/access-report.ts';
import { reportLanguages } from '../../core/domain/access-texts.ts';
import { htmlOf } from '../../lambdas/reports/html.ts';
import { openBrowser } from './browser.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => await browser?.close());

test.each(reportLanguages)(
  'axe finds no violations in the report of a broken log, which fits on a phone (%s)',
  async (language) => {
    const log = {
      patientRef,
      valid: false,
      entries: 60,
      firstBrokenSeq: 7,
      problem: 'changed',
      anchored: 60,
      unanchored: 0,
    } as const;
    const html = htmlOf(accessReport({ ...factsOf(logOf(60)), verification: verifyPerson([log]) }, language));
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.setContent(html);
    expect(await page.evaluate('document.documentElement.lang')).toBe(language);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.evaluate(axeSource);
    const violations = await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id }) => id))');
    expect(violations).toEqual([]);
    expect(requests).toEqual([]);
    await page.close();
  },
);
