import { expect, test } from 'vitest';
import { issueIdOf } from './issue-id.ts';

const flagged = { kind: 'flagged', patientRef: 'a'.repeat(32), reason: 'careRecords[0].start: not a date' } as const;

test('an issue is the same in the next run, also at another position of the list or of the care records', () => {
  const entry = { ...flagged, reason: 'birthDate: missing; gender: missing' };
  expect(issueIdOf({ ...entry, position: 3 })).toBe(issueIdOf({ ...entry, position: 90 }));
  expect(issueIdOf({ ...flagged, reason: 'careRecords[7].start: not a date; careRecords[8].start: not a date' })).toBe(
    issueIdOf(flagged),
  );
  const unread = { kind: 'quarantined', reason: 'entry: not JSON', entryRef: 'c'.repeat(32) } as const;
  expect(issueIdOf({ ...unread, position: 3 })).toBe(issueIdOf({ ...unread, position: 90 }));
  const failed = { ...flagged, kind: 'care-records' } as const;
  expect(issueIdOf({ ...failed, reason: 'stalled' })).toBe(issueIdOf({ ...failed, reason: 'reset' }));
});

test('another path, another kind or another patient makes another issue', () => {
  const others = [
    { ...flagged, reason: 'careRecords[0].end: not a date' },
    { ...flagged, reason: 'careRecords[0].start: missing' },
    { ...flagged, reason: `${flagged.reason}; careRecords[0].end: not a date` },
    { ...flagged, kind: 'care-records' as const },
    { ...flagged, patientRef: 'b'.repeat(32) },
    { kind: 'quarantined' as const, reason: 'entry: not JSON', position: 1 },
    { kind: 'quarantined' as const, reason: 'entry: not JSON', position: 2 },
  ];
  expect(new Set([flagged, ...others].map(issueIdOf)).size).toBe(1 + others.length);
  expect(issueIdOf(flagged)).toMatch(/^[0-9a-f]{32}$/);
});
