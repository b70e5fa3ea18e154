import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { KnownIssue } from '../../core/domain/issue.ts';
import { openApi } from '../api.fixture.ts';
import { startDay } from '../day.fixture.ts';

const everyoneIsInsured = { notInsuredShare: 0, unknownShare: 0, identicalDuplicates: 0, differingDuplicates: 0 };

test('issues of a list are shown until it changes, and once they are acknowledged they are no problem of a run', async () => {
  await using day = await startDay(
    { patients: 40, rate: 0, malformedEntries: 4, ...everyoneIsInsured },
    {},
    { api: true },
  );
  const { call } = await openApi(day.stack);
  const issuesOf = async (query: string): Promise<KnownIssue[]> => (await call('listIssues', { query })).json.issues;
  const historyOf = (issues: readonly KnownIssue[]) => issues.map(({ id, runs, reason }) => ({ id, runs, reason }));
  const nextRun = async () => {
    await sleep(1_000); // two runs that begin in the same second have no order
    return await day.runToEnd();
  };
  await day.startWorker();
  const first = await day.runToEnd();
  expect(first).toMatchObject({
    state: 'completed-with-problems',
    patients: { listed: 40, quarantined: 4 },
    quality: { unreadablePercent: 9.1, quarantinedPercent: 9.1, failedPercent: 0 },
  });
  expect(first.quality?.byProblem).toContainEqual({ path: 'kvnr', kind: 'check digit', count: 1 });
  const ofFirst = await issuesOf('?kind=quarantined');
  expect(ofFirst).toHaveLength(4);
  for (const issue of ofFirst) expect(issue).toMatchObject({ kind: 'quarantined', runs: 1 });

  day.insurer.unchangedDay();
  day.insurer.resetLog();
  const second = await nextRun();
  expect(day.insurer.log().map(({ outcome }) => outcome)).toEqual(['not-modified']);
  expect(second).toMatchObject({
    state: 'completed-with-problems',
    patients: { listed: 40, unchanged: 40, quarantined: 4, flagged: first.patients.flagged ?? 0 },
    quality: { unreadablePercent: 9.1 },
  });
  const ofSecond = await issuesOf(`?runId=${second.runId}&kind=quarantined`);
  expect(historyOf(ofSecond)).toEqual(historyOf(ofFirst).map((issue) => ({ ...issue, runs: 2 })));
  const [issue] = ofSecond;
  expect(Date.parse(issue?.firstSeen ?? '')).toBeLessThan(Date.parse(issue?.lastSeen ?? ''));

  const body = { issueIds: ofSecond.map(({ id }) => id), note: 'the insurer mends them, ticket 4711' };
  const acknowledged = await call('acknowledgeIssues', { body });
  expect(acknowledged).toMatchObject({
    status: 200,
    json: { note: body.note, by: expect.stringContaining('operator') },
  });
  expect(await issuesOf('?kind=quarantined&acknowledged=false')).toEqual([]);
  expect((await issuesOf('?acknowledged=true')).map((each) => each.acknowledged)).toEqual(
    Array.from({ length: 4 }, () => acknowledged.json),
  );

  day.insurer.unchangedDay();
  const third = await nextRun();
  expect(third).toMatchObject({
    state: 'completed',
    patients: { quarantined: 4 },
    quality: { unreadablePercent: 0, quarantinedPercent: 9.1 },
  });

  day.insurer.nextDay({ spoiled: 5 }); // these are new, and nobody has acknowledged them
  const fourth = await nextRun();
  expect(fourth).toMatchObject({ state: 'completed-with-problems', patients: { quarantined: 9 } });
  const isNew = (each: KnownIssue): boolean => each.runs === 1;
  expect((await issuesOf('?kind=quarantined&acknowledged=false')).filter(isNew)).toHaveLength(5);
});
