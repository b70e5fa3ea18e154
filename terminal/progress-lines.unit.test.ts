import { expect, test } from 'vitest';
import type { Progress } from '../core/domain/progress.ts';
import type { ProgressNow } from '../core/temporal/daily-sync-client.ts';
import {
  changeLine,
  duration,
  limitLines,
  onOneLine,
  pauseLines,
  progressBlock,
  progressLine,
  quietLines,
  reasonLines,
  summaryLines,
} from './progress-lines.ts';

const startedAt = '2026-11-24T21:30:00.000Z';
const progress: Progress = {
  runId: '20261124T213000Z-1f3a9c0e',
  state: 'running',
  phase: 'care-records',
  awaitingDecision: false,
  startedAt,
  stale: false,
  patients: { listed: 200, new: 200, changed: 0, removed: 0, unchanged: 0, quarantined: 3 },
  careRecords: { total: 200, done: 90, pending: 100, failed: 4, notInsured: 6 },
  line: {
    state: 'open',
    busy: true,
    requests: 500,
    failures: 400,
    failureRate: 0.8,
    faults: { reset: 300, busy: 100 },
  },
  ratePerMinute: 92.4,
  etaSeconds: 65,
};
const now = new Date(Date.parse(startedAt) + 83_000);

test('the block shows phase, bars, rate, failure rate and the time left', () => {
  const block = progressBlock(progress, now, 120).join('\n');
  expect(block).toContain('fetching care records · 1:23 · about 1:05 left');
  expect(block).toContain(`[${'█'.repeat(20)}${'░'.repeat(20)}] 100 of 200 · 4 failed · 6 no longer insured`);
  expect(block).toContain('500 requests, 80.0 % failed · 92 patients a minute');
});

test('flagged care records are counted in the block and in the summary', () => {
  const flagged = { ...progress, careRecords: { ...progress.careRecords, flagged: 7 } };
  expect(progressBlock(flagged, now, 120).join('\n')).toContain('6 no longer insured · 7 flagged');
  expect(summaryLines({ ...flagged, state: 'completed' }).join('\n')).toContain('100 pending, 7 flagged');
  expect(progressBlock(progress, now, 120).join('\n')).not.toContain('flagged');
});

test('a list that takes long is shown with its bytes, rate, time left, requests and failures by kind', () => {
  const transfers: ProgressNow['transfers'] = [
    {
      kind: 'list',
      since: startedAt,
      measuredAt: now.toISOString(),
      receivedBytes: 3_210_000,
      totalBytes: 12_840_000,
      bytesPerSecond: 4_000,
      secondsLeft: 2_408,
      requests: 9,
      failures: 8,
      faults: { reset: 3, stalled: 5 },
    },
  ];
  const fetching: ProgressNow = { ...progress, phase: 'list', transfers };
  const block = progressBlock(fetching, now, 120);
  expect(block.join('\n')).toMatch(/^list {10}\[█+░+\] 3\.2 MB of 12\.8 MB · 4\.0 kB\/s · about 40:08 left$/m);
  const requests = '9 requests, 8 failed (stalled 5, reset 3) · since 2026-11-24 21:30 UTC';
  expect(block).toContain(`${' '.repeat(14)}${requests}`);
  expect(progressLine(fetching, now)).toContain(`list 3.2 MB of 12.8 MB · 4.0 kB/s · about 40:08 left · ${requests}`);
  const later = new Date(now.getTime() + 120_000);
  expect(progressLine(fetching, later)).toContain('as of 2026-11-24 21:31 UTC: no worker has the line');
});

test('the bytes of compressed care records without a declared size', () => {
  const transfer = {
    kind: 'care-records' as const,
    since: startedAt,
    measuredAt: now.toISOString(),
    isCompressed: true as const,
  };
  const transfers = [{ ...transfer, receivedBytes: 950, bytesPerSecond: 0, requests: 0, failures: 0, faults: {} }];
  expect(progressBlock({ ...progress, transfers }, now, 120)).toContain('large answer  950 B (compressed) · 0 B/s');
});

test('the summary says how old the stored care records were', () => {
  const aged = { ...progress, careRecordsAge: { oldestDays: 40, medianDays: 3, unknown: 12 } };
  expect(summaryLines(aged).join('\n')).toContain('oldest 40 days, median 3 days, 12 of unknown age');
  expect(summaryLines(progress).join('\n')).not.toContain('age');
});

test('the summary shows the refresh that follows a run, and who has stopped it', () => {
  const refresh = { state: 'running', pending: 40, done: 3, unchanged: 70, failed: 1, removed: 2 } as const;
  const text = (of: Progress['refresh']) => summaryLines({ ...progress, refresh: of } as Progress).join('\n');
  expect(text(refresh)).toContain('in progress: 3 stored, 70 unchanged, 1 failed, 2 removed, 40 pending');
  const stopped = {
    ...refresh,
    state: 'stopped',
    held: 1,
    cancellation: { by: 'olga', reason: 'they called' },
  } as const;
  expect(text(stopped)).toContain('2 removed, 1 kept after an answer 410, 40 pending');
  expect(text(stopped)).toContain('refresh stopped by olga: they called');
});

test('no line is longer than a narrow terminal, so that the block can be redrawn in place', () => {
  for (const line of progressBlock({ ...progress, stale: true }, now, 50)) expect(line.length).toBeLessThanOrEqual(50);
});

test('waiting removals are shown with the commands that decide', () => {
  const decision: Progress['decision'] = {
    listId: '20261124T213000Z-1f3a9c0e-1',
    kind: 'list',
    removals: 45,
    stored: 200,
    receivedAt: '2026-11-24T21:30:30.000Z',
    waitingSince: '2026-11-24T21:31:00.000Z',
    reasons: ['share'],
  };
  const waiting = { ...progress, awaitingDecision: true, decision };
  const block = progressBlock(waiting, now, 79);
  expect(block.slice(-4)).toEqual([
    '! 45 removals (of 200 stored) wait for you to decide since 2026-11-24 21:31 UTC',
    '  list of 2026-11-24 21:30 UTC: a large share of all patients',
    '  npm run sync -- removals approve 20261124T213000Z-1f3a9c0e-1',
    '  npm run sync -- removals reject 20261124T213000Z-1f3a9c0e-1',
  ]);
  expect(progressLine(waiting, now)).toContain('npm run sync -- removals');
  expect(progressLine(waiting, now)).toContain('fetching care records');
  const idle = { ...waiting, careRecords: { ...progress.careRecords, done: 190, pending: 0 } };
  expect(progressLine(idle, now)).toContain('waiting for a decision');
});

test('stale progress says that no worker answers', () => {
  expect(progressLine({ ...progress, stale: true }, now)).toContain('no worker answers');
  expect(progressLine(progress, now)).not.toContain('no worker answers');
});

test('a run without care records to fetch shows no NaN', () => {
  const careRecords = { total: 0, done: 0, pending: 0, failed: 0, notInsured: 0 };
  expect(progressBlock({ ...progress, careRecords }, now, 120).join('\n')).not.toMatch(/NaN|Infinity/);
});

test('the summary shows the duration and the most frequent faults', () => {
  const ended = { ...progress, state: 'completed', phase: 'done', finishedAt: '2026-11-24T22:35:00.000Z' } as const;
  const summary = summaryLines(ended).join('\n');
  expect(summary).toContain('completed after 1:05:00');
  expect(summary).toContain('(reset 300, busy 100)');
});

test('the summary shows the quality of the data and the most frequent problems', () => {
  const byProblem = ['start', 'end', 'id', 'title'].map((field, index) => ({
    ...{ path: `careRecords[].${field}`, kind: 'missing', count: 9 - index },
  }));
  const quality = { unreadablePercent: 6.5, quarantinedPercent: 6.5, failedPercent: 1, flaggedPercent: 12, byProblem };
  const summary = summaryLines({ ...progress, state: 'completed-with-problems', phase: 'done', quality });
  expect(summary[0]).toContain('completed-with-problems');
  expect(summary).toContain(
    '  quality       6.5 % of the list quarantined, 1 % of the care records failed, 12 % flagged',
  );
  expect(summary.join('\n')).toContain('careRecords[].start: missing (9), careRecords[].end: missing (8)');
  expect(summary.join('\n')).not.toContain('title');
  const clean = { ...quality, byProblem: [] };
  expect(summaryLines({ ...progress, state: 'completed', quality: clean }).join('\n')).not.toContain('quality');
});

test('the summary says where the issues are, if there are any', () => {
  const patients = { ...progress.patients, quarantined: 0 };
  const careRecords = { ...progress.careRecords, failed: 0 };
  const clean: Progress = { ...progress, state: 'completed', phase: 'done', patients, careRecords };
  const withIssues: Progress[] = [
    ...[{ quarantined: 1 }, { flagged: 1 }, { kvnrChanged: 1 }].map((count) => ({
      ...clean,
      patients: { ...patients, ...count },
    })),
    ...[{ failed: 1 }, { flagged: 1 }].map((count) => ({ ...clean, careRecords: { ...careRecords, ...count } })),
    { ...clean, state: 'failed' },
  ];
  const hint = '  see the issues: npm run sync -- issues';
  for (const ended of withIssues) expect(summaryLines(ended)).toContain(hint);
  expect(summaryLines({ ...clean, patients: { ...patients, flagged: 0, kvnrChanged: 0 } })).not.toContain(hint);
});

test('durations are formatted like a clock', () => {
  expect([0, 59.4, 65, 3_600, 7_389].map(duration)).toEqual(['0:00', '0:59', '1:05', '1:00:00', '2:03:09']);
});

test('a paused line shows who paused it, since when, why, and the command that resumes it', () => {
  const since = '2026-11-24T21:31:07.000Z';
  const paused = { ...progress.line, state: 'paused', by: 'anna', since, reason: 'the modem\nis moved' } as const;
  const lines = progressBlock({ ...progress, line: paused }, now, 120);
  expect(lines.at(-2)).toBe('! line paused by anna since 2026-11-24 21:31 UTC: the modem is moved');
  expect(lines.at(-1)).toContain('npm run sync -- resume');
  expect(progressLine({ ...progress, line: paused }, now)).toContain('paused by anna');
});

test('if the insurer rejects the token, the advice names INSURER_API_TOKEN', () => {
  const line = { ...progress.line, state: 'paused', by: 'system', reason: 'insurer answered 401' } as const;
  expect(progressLine({ ...progress, line }, now)).toMatch(/by the system.*INSURER_API_TOKEN.*npm run sync -- resume/);
});

test('a change of the line is one line: when, what, who and why', () => {
  const at = '2026-11-24T21:31:07.000Z';
  const change = { number: 7, state: 'paused', by: 'anna', at, reason: 'the modem\nis moved' } as const;
  expect(changeLine(change)).toBe('2026-11-24 21:31 UTC  paused  by anna: the modem is moved');
  expect(changeLine({ ...change, state: 'open', by: 'system' })).toContain('resumed by the system: ');
  expect(changeLine({ ...change, until: '2026-11-24T22:00:00.000Z' })).toContain(
    'by anna until 2026-11-24 22:00 UTC: ',
  );
});

test('a cooldown says until when and why, and a pace who has set it', () => {
  const since = '2026-11-24T21:31:07.000Z';
  const cooldown = { reason: 'outage', since, until: '2026-11-24T21:32:07.000Z' } as const;
  const pace = { requestsPerMinute: 30, by: 'anna', since, reason: 'they called' };
  expect(limitLines({ cooldown, pace })).toEqual([
    '! nothing is sent until 2026-11-24 21:32:07 UTC: forty requests in a row have failed',
    '  to send immediately: npm run sync -- lift <reason>',
    '  pace: at most 30 requests a minute, set by anna at 2026-11-24 21:31 UTC: they called',
  ]);
  expect(limitLines({ pace: { requestsPerMinute: 1 } })).toEqual(['  pace: at most 1 request a minute, the default']);
  expect(limitLines({})).toEqual([]);
});

test('a paused line shows each reason on one line, and the right token as the remedy if the system has given one', () => {
  const first = { number: 7, by: 'anna', since: '2026-11-24T21:31:07.000Z', reason: 'the modem\nis moved' };
  const second = { number: 8, by: 'system', since: '2026-11-24T21:33:00.000Z', reason: 'the insurer answered 401' };
  const paused = { ...first, state: 'paused' } as const;
  const shown = '! line paused by anna since 2026-11-24 21:31 UTC: the modem is moved';
  expect(pauseLines({ ...paused, openReasons: [first] })).toEqual([
    shown,
    '  to resume: npm run sync -- resume <reason>',
  ]);
  expect(pauseLines({ ...paused, openReasons: [first, second], droppedReasons: 2 })).toEqual([
    shown,
    '! also paused by the system since 2026-11-24 21:33 UTC: the insurer answered 401',
    '! also paused for 2 more reasons',
    '  start again with the right INSURER_API_TOKEN, then: npm run sync -- resume <reason>',
  ]);
  const until = '2026-11-24T22:30:00.000Z';
  const [timed, longer] = [
    { ...first, until },
    { ...second, until: '2026-11-25T06:00:00.000Z' },
  ];
  expect(pauseLines({ ...paused, openReasons: [timed, longer], until: longer.until })).toEqual([
    '! line paused by anna since 2026-11-24 21:31 UTC until 2026-11-24 22:30 UTC: the modem is moved',
    '! also paused by the system since 2026-11-24 21:33 UTC until 2026-11-25 06:00 UTC: the insurer answered 401',
    '  opens by itself at 2026-11-25 06:00 UTC',
    '  start again with the right INSURER_API_TOKEN, then: npm run sync -- resume <reason>',
  ]);
  expect(pauseLines({ state: 'open', openReasons: [first] })).toEqual([]);
  expect(reasonLines({ openReasons: [first], droppedReasons: 1 })).toEqual([
    'by anna since 2026-11-24 21:31 UTC: the modem is moved',
    'for 1 more reason',
  ]);
});

test('quiet hours are shown with their end, in the progress as well', () => {
  const quietHours = { until: '2026-11-24T17:00:00.000Z' };
  const shown = 'quiet hours until 2026-11-24 17:00 UTC: runs wait until then';
  expect(quietLines({ quietHours })).toEqual([`  ${shown}`]);
  expect(quietLines({})).toEqual([]);
  expect(quietLines({ quietHours }, 'the sync waits')).toEqual([
    '  quiet hours until 2026-11-24 17:00 UTC: the sync waits until then',
  ]);
  const quiet = { ...progress, line: { ...progress.line, quietHours } };
  expect(progressBlock(quiet, now, 120)).toContain(`  ${shown}`);
  expect(progressLine(quiet, now)).toContain(` | ${shown}`);
});

test('on a narrow terminal the bars are shortened, and the numbers stay complete', () => {
  const patients = { ...progress.patients, listed: 1_000_000, new: 1_000_000, quarantined: 18 };
  expect(progressBlock({ ...progress, patients }, now, 99).join('\n')).toContain('18 quarantined');
  const small = { ...progress.patients, listed: 40, new: 40, quarantined: 18 };
  expect(progressBlock({ ...progress, patients: small }, now, 79).join('\n')).toContain('18 quarantined');
});

test('a text from outside neither acts on the terminal nor turns the direction of a line', () => {
  expect(onOneLine('M\u202eüller\u2066 \u001b[2J\r\n\u2028\u200b-Lüdenscheidt')).toBe('M üller   [2J    -Lüdenscheidt');
});
