import { z } from 'zod';
import { accessOperations, roles } from '../../core/domain/access.ts';
import { logProblems } from '../../core/domain/access-log.ts';
import { reportFormats, reportLanguages } from '../../core/domain/access-texts.ts';
import { exportedTypes, exportFailures, exportStates } from '../../core/domain/export.ts';
import { systems } from '../../core/domain/fhir/uris.ts';
import { dateOf } from '../../core/domain/fhir/values.ts';
import { openReasonsMax, paceMax } from '../../core/domain/gate.ts';
import { reportedEffects, reportedRequests } from '../../core/domain/insurer-report.ts';
import { issueKinds } from '../../core/domain/issue.ts';
import { isKvnr, kvnrTextMax, normalKvnr } from '../../core/domain/kvnr.ts';
import { lineFaults } from '../../core/domain/line.ts';
import { lineCommandProblem, pauseDaysMax, pauseEndProblem, reasonMax } from '../../core/domain/line-command.ts';
import { hasLetters } from '../../core/domain/name-search.ts';
import { patientChangeKinds } from '../../core/domain/patient-change.ts';
import { phases, runFailures, runStates } from '../../core/domain/progress.ts';
import { reportedProblemsMax } from '../../core/domain/quality.ts';
import { removalReasons } from '../../core/domain/removal-guard.ts';
import { codeSystems, structureDefinitions } from './fhir-definitions.ts';
import { problemType } from './problems.ts';

/** Schemas of requests and answers. Validation and /openapi.json use the same schemas. */

const time = z.iso.datetime().meta({ description: 'Time in UTC (ISO 8601).', example: '2026-11-24T21:30:00.000Z' });
const count = z.int().min(0);

export const patientRef = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'is 32 hex digits in lower case')
  .meta({
    id: 'PatientRef',
    description: 'Pseudonym of a patient. Never a KVNR.',
    example: '5d41402abc4b2a76b9719d911017c592',
  });
export const kvnr = z
  .string()
  .max(kvnrTextMax)
  .overwrite(normalKvnr)
  .regex(/^[A-Z][0-9]{9}$/, 'is a letter and nine digits')
  .refine(isKvnr, 'has a wrong check digit')
  .meta({
    id: 'Kvnr',
    description:
      'Insurance number. The last digit is a check digit. Lower case, blanks and invisible characters do not matter.',
    pattern: '^\\s*[A-Za-z](\\s*[0-9]){9}\\s*$', // as it is sent, without the invisible characters
    example: 'A123456780',
  });
export const runId = z
  .string()
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/, 'is a run ID')
  .meta({ id: 'RunId', example: '20261124T213000Z-1f3a9c0e' });
export const nextToken = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[\w.-]+$/, 'is the nextToken of an answer')
  .meta({ description: 'Token of the next page. Absent on the last page.' });
const cursor = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/^[\w.-]+$/, 'is the next of an answer, or now')
  .meta({ description: 'Where to go on. It never expires by itself, and can be used again.' });
export const changesQuery = z.strictObject({
  since: cursor.optional().meta({
    description:
      'The `next` of the answer before, or `now`, which returns no changes and the cursor after the last one. By default, the answer begins with the oldest change that is kept.',
  }),
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, 'is a number from 1 to 1000')
    .optional()
    .meta({ description: 'Most changes in the answer: 1000 by default.' }),
});
export const changes = z.object({
  changes: z
    .array(
      z.object({
        id: z.string().meta({ description: 'The same one if the change comes twice.' }),
        patientRef,
        what: z.enum(patientChangeKinds).meta({
          description:
            '`imported`: the patient can be read from now on; `changed`: the list entry is another one; `removed`: the patient can no longer be read; `care-records-updated`: the care records are new.',
        }),
        when: z.iso.datetime().meta({ description: 'Time of the change in UTC, to the second.' }),
        careVersion: z.string().optional().meta({
          description: 'Version of the care records afterwards. Absent if there are none.',
        }),
      }),
    )
    .meta({ description: 'Oldest first. Those of one patient are in the order in which they happened.' }),
  next: cursor,
  hasMore: z.boolean().meta({ description: 'Whether more changes are there already.' }),
});
const syncId = z.uuid().meta({ example: '1f0e7c1a-8d0c-4f7c-9f57-0c0a64cf6d6e' });
/** The reason for a pause, a resume or a cancellation. It is stored. */
const reason = z
  .string()
  .max(reasonMax)
  .refine(
    (text) => lineCommandProblem({ operator: 'any', reason: text }) === undefined,
    'is one line of text with the reason, without control characters',
  )
  .meta({ example: 'maintenance at the insurer until 14:00' });

export const noFields = z.strictObject({});
export const patientPath = z.strictObject({ patientRef });
export const pageQuery = z.strictObject({ nextToken: nextToken.optional() });

export const reasonBody = z.strictObject({ reason });
const requestsPerMinute = z.int().min(1).max(paceMax);
export const paceBody = z
  .strictObject({
    requestsPerMinute: requestsPerMinute.nullable().meta({
      description:
        'The most requests a minute, of all workers together, syncs on demand included. null: LINE_REQUESTS_PER_MINUTE of the workers applies again.',
    }),
    reason,
  })
  .meta({ example: { requestsPerMinute: 30, reason: 'the insurer called' } });

const isMoment = 'is a time in ISO 8601 with an offset, such as 2026-11-24T00:00:00+01:00';
export const pauseBody = reasonBody.extend({
  until: z.iso
    .datetime({ offset: true, error: isMoment })
    .refine((end) => pauseEndProblem(end, Date.now()) === undefined, {
      error: ({ input }) => pauseEndProblem(String(input), Date.now()),
    })
    .optional()
    .meta({
      description: `When the pause ends by itself: in the future, and at most ${pauseDaysMax} days ahead. Without it, the pause lasts until a resume. The same operator replaces the end by another pause with the same reason.`,
      example: '2026-11-24T22:30:00+01:00',
    }),
});
const isQuestionId = 'is decision.listId of GET /sync';
const questionId = z
  .string({ error: isQuestionId })
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}-(not-insured-)?[1-9]\d{0,8}$/, isQuestionId);
export const removalsBody = z
  .strictObject({
    decision: z.enum(['approve', 'reject']),
    listId: questionId.optional().meta({
      description:
        'The removals that the decision is about: `decision.listId` of GET /sync. If a newer list is there or on its way, the answer is 409. Without it, the decision is about the list whose removals wait.',
    }),
  })
  .meta({ example: { decision: 'approve', listId: '20261124T213000Z-1f3a9c0e-1' } });
export const lookupBody = z.strictObject({ kvnr }).meta({ example: { kvnr: 'A123456780' } });
const searchedName = z.string().min(1).max(200).refine(hasLetters, 'has a letter').meta({
  description:
    'The beginning of the name, or of any word of it. Case, diacritics, hyphens and apostrophes do not matter: Müller, Mueller and muller are equal.',
  example: 'Müll',
});
export const searchBody = z
  .strictObject({
    birthDate: z
      .string()
      .max(10)
      .overwrite((date) => dateOf(date) ?? date)
      .refine((date) => dateOf(date) === date, 'is a date, YYYY-MM-DD')
      .meta({
        description:
          'The exact birth date. YYYY-MM or YYYY finds people of whom the insurer knows no more; an unknown month or day may also be 00.',
        pattern: '^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$',
        example: '1985-03-07',
      }),
    familyName: searchedName.optional(),
    givenName: searchedName.optional(),
  })
  .refine(({ familyName, givenName }) => familyName !== undefined || givenName !== undefined, {
    error: 'has a name: a birth date alone finds too many people',
  })
  .meta({ minProperties: 2, example: { birthDate: '1985-03-07', familyName: 'Müll' } });
export const patientSyncBody = z
  .union([z.strictObject({ kvnr }), z.strictObject({ patientRef })])
  .meta({ example: { patientRef: '5d41402abc4b2a76b9719d911017c592' } });

export const startedRun = z.object({ runId }).meta({ id: 'StartedRun' });
export const cancelling = z.object({ state: z.literal('cancelling') });

const lineState = z.enum(['open', 'paused']);
const changeNumber = z.int().min(1).meta({ description: 'Number of the change on this line.' });
const openReason = z
  .object({
    number: changeNumber,
    by: z.string().meta({ example: 'operator-demo' }),
    since: time,
    reason: z.string(),
    until: time.optional().meta({ description: 'Only of a timed pause: when it ends.' }),
  })
  .meta({ id: 'OpenReason', description: 'One reason why the line is paused: who gave it, since when, and why.' });
const pausedBy = {
  by: z
    .string()
    .optional()
    .meta({ description: 'Who paused the line first. Only while it is paused.', example: 'operator-demo' }),
  since: time.optional(),
  reason: z.string().optional(),
  openReasons: z.array(openReason).max(openReasonsMax).optional().meta({
    description:
      'Only while the line is paused: the reason of each pause since it was open, oldest first. A resume ends all of them, and its answer lists them.',
  }),
  droppedReasons: z.int().min(1).optional().meta({
    description: 'How many more reasons there were than openReasons can hold. The first and the newest ones stay.',
  }),
  until: time.optional().meta({
    description:
      'Only while the line is paused: when it opens by itself, because every reason ends. Absent if it stays paused until a resume.',
  }),
  silent: z.boolean().optional().meta({
    description:
      'Only while the line is paused: true once it is confirmed that no request is in flight and none will be sent.',
  }),
  silentSince: time.optional().meta({ description: 'When a silent line was confirmed silent.' }),
};
const cooldown = z
  .object({
    reason: z.enum(['retry-after', 'busy', 'outage']).meta({
      description:
        '`retry-after`: the insurer has named the time; `busy`: it asks for patience and names no time; `outage`: forty requests in a row have failed.',
    }),
    since: time,
    until: time,
  })
  .meta({ id: 'Cooldown', description: 'Nothing is sent until then. An operator can lift it.' });
const pace = z
  .object({ requestsPerMinute, by: z.string().optional(), since: time.optional(), reason: z.string().optional() })
  .meta({
    id: 'Pace',
    description:
      'The most requests a minute. `by`, `since` and `reason` are missing if it is LINE_REQUESTS_PER_MINUTE of the workers.',
  });
const quietHours = z.object({ until: time });
const quietHoursOfPeople = quietHours.optional().meta({
  description:
    'Only in quiet hours in which people wait as well (LINE_QUIET_HOURS_PEOPLE): when they end. The sync waits until then.',
});
const limits = {
  cooldown: cooldown.optional(),
  pace: pace.optional(),
  quietHours: quietHours.optional().meta({
    description: 'Only in quiet hours (LINE_QUIET_HOURS): when they end. Until then, the requests of runs wait.',
  }),
};
export const line = z
  .object({ state: lineState, busy: z.boolean(), ...pausedBy, ...limits })
  .meta({ id: 'Line', example: { state: 'open', busy: true } });
const lineChange = z
  .object({
    number: changeNumber,
    state: lineState,
    kind: z.enum(['lift', 'pace']).optional().meta({
      description:
        'Missing for a pause and a resume. `lift`: a cooldown was lifted; `pace`: the pace was set. `state` is then what it was.',
    }),
    requestsPerMinute: requestsPerMinute.optional().meta({ description: 'Only of `pace`: missing for the default.' }),
    by: z.string(),
    at: time,
    reason: z.string(),
    until: time.optional().meta({ description: 'Only of a timed pause: when it ends.' }),
  })
  .meta({ id: 'LineChange', description: 'What an operator has changed on the line: who, when and why.' });
export const lineWithChanges = line
  .extend({ changes: z.array(lineChange).meta({ description: 'The last 50 changes, newest first.' }) })
  .meta({ id: 'LineWithChanges', example: { state: 'open', busy: true, changes: [] } });

const removalKind = z.enum(['list', 'not-insured']).meta({
  description: '`list`: people who are not on the list; `not-insured`: people for whom the insurer answered 410.',
});
const removalQuestion = z
  .object({
    listId: z.string().meta({ description: 'Names the question in a decision.' }),
    kind: removalKind,
    removals: count.meta({ description: 'How many patients an approval removes. Grows while more answers 410 come.' }),
    stored: count,
    receivedAt: time.meta({ description: 'When the list came, or the first answer 410 that was held back.' }),
    waitingSince: time,
    reasons: z.array(z.enum(removalReasons)),
  })
  .meta({ id: 'RemovalQuestion' });
const madeDecision = z
  .object({
    listId: z.string(),
    kind: removalKind,
    removals: count,
    stored: count,
    waitingSince: time,
    decision: z.enum(['approve', 'reject']),
    by: z.string().meta({ example: 'operator-demo' }),
    decidedAt: time,
  })
  .meta({ id: 'MadeDecision' });
const faults = z.partialRecord(z.enum(lineFaults), count);
const transfer = z
  .object({
    kind: z.enum(['list', 'care-records']),
    since: time.meta({ description: 'When the fetch began, also across retries and workers.' }),
    measuredAt: time.meta({ description: 'Old if no worker has the line.' }),
    receivedBytes: count,
    totalBytes: count.optional().meta({ description: 'Absent if the insurer does not say it.' }),
    isCompressed: z.literal(true).optional().meta({
      description: 'Set if the insurer sends the answer compressed: the bytes are those of the compressed answer.',
    }),
    bytesPerSecond: count.meta({ description: 'Over the last minute.' }),
    secondsLeft: count.optional().meta({ description: 'At that rate. Absent if unknown.' }),
    requests: count.meta({ description: 'Requests of this fetch that have ended.' }),
    failures: count,
    faults,
  })
  .meta({
    id: 'Transfer',
    description: 'A fetch that takes long: the list, or the large care records of one patient.',
  });
const percent = z.number().min(0).max(100);
const quality = z
  .object({
    unreadablePercent: percent.meta({
      description: 'The larger one of `quarantinedPercent` and `failedPercent`, both without acknowledged issues.',
    }),
    quarantinedPercent: percent.meta({ description: 'Entries that cannot be stored, of all entries of the list.' }),
    failedPercent: percent.meta({
      description: 'Patients without usable care records, of those whose sync has ended in this run.',
    }),
    flaggedPercent: percent.meta({
      description: 'Entries and care records that are stored although they break the contract, of those stored.',
    }),
    byProblem: z
      .array(
        z.object({
          path: z.string().meta({
            description: 'A JSON path in which `[]` stands for any position; `answer` for all of an answer.',
            example: 'careRecords[].start',
          }),
          kind: z.string().meta({
            description: 'What is wrong, in fixed words or as a code. Never a value.',
            example: 'not a date',
          }),
          count: z.int().min(1).meta({ description: 'Entries and answers that have it. Each is counted once.' }),
        }),
      )
      .max(reportedProblemsMax)
      .meta({ description: 'The most frequent problems first.' }),
  })
  .meta({ id: 'Quality', description: 'The quality of what came in a run.' });
export const progress = z
  .object({
    runId,
    state: z.enum(runStates).meta({
      description:
        '`completed-with-problems`: the run was carried out, but `quality.unreadablePercent` has reached UNREADABLE_LIMIT_PERCENT.',
    }),
    phase: z.enum(phases),
    awaitingDecision: z.boolean(),
    decision: removalQuestion.optional().meta({
      description: 'Only while removals wait for a decision: what it is about.',
    }),
    decisions: z.array(madeDecision).optional().meta({
      description: 'What operators decided in this run, oldest first, at most the last 50.',
    }),
    startedAt: time,
    finishedAt: time.optional(),
    failure: z.enum(runFailures).optional().meta({
      description:
        'Only for a failed run: `list-unusable`, or `internal` for an error of epa-sync itself. Absent in runs of 0.2.0: `list-unusable`.',
    }),
    cancellation: z
      .object({ by: z.string().meta({ example: 'operator-demo' }), reason: z.string() })
      .optional()
      .meta({ description: 'Only for a cancelled run: who cancelled it, and why.' }),
    stale: z.boolean().meta({ description: 'True if no worker answered and this is the last stored progress.' }),
    patients: z.object({
      listed: count,
      new: count,
      changed: count,
      removed: count,
      unchanged: count,
      quarantined: count.meta({ description: 'Entries of the list that cannot be stored.' }),
      kvnrChanged: count.optional().meta({
        description:
          'Pairs of a patient who is gone and a new one with the same name, birth date and address. Absent in runs of 0.2.0.',
      }),
      provisional: count.optional().meta({
        description:
          'People who are stored although no list has named them, at the last count. Absent before it, and in runs of 0.2.0.',
      }),
      flagged: count.optional().meta({
        description: 'Entries that break the contract and are stored as they were sent. Absent in runs of 0.2.0.',
      }),
    }),
    careRecords: z.object({
      total: count,
      done: count,
      pending: count,
      failed: count,
      notInsured: count,
      held: count.optional(),
      flagged: count.optional().meta({
        description:
          'Answers that break the contract and are stored as they were sent. Absent if there are none, and in runs of 0.2.0.',
      }),
    }),
    careRecordsAge: z
      .object({
        oldestDays: count.optional(),
        medianDays: count.optional(),
        unknown: count.meta({ description: 'Patients whose care records 0.2.0 has stored, without their date.' }),
      })
      .optional()
      .meta({
        description:
          'Age of the stored care records at the last count, in whole days. Absent before it, and if there were none.',
      }),
    refresh: z
      .object({
        state: z.enum(['running', 'completed', 'stopped']).meta({
          description: '`stopped`: by the next run, by an operator, or after many answers 410.',
        }),
        pending: count.optional(),
        done: count,
        unchanged: count,
        failed: count,
        removed: count,
        held: count.optional(),
        flagged: count.optional(),
        cancellation: z.object({ by: z.string().meta({ example: 'operator-demo' }), reason: z.string() }).optional(),
      })
      .optional()
      .meta({
        description:
          'The refresh that follows the run asks again for care records older than CARE_REFRESH_AFTER_DAYS. Absent before it, and if there is none.',
      }),
    quality: quality.optional().meta({ description: 'Absent in runs of 0.2.0.' }),
    unapprovedRemovals: count.optional().meta({ description: 'Patients removed without a decision of an operator.' }),
    line: z.object({
      state: lineState,
      busy: z.boolean(),
      requests: count,
      failures: count,
      failureRate: z.number().min(0).max(1),
      faults,
      ...pausedBy,
      ...limits,
    }),
    transfers: z.array(transfer).optional().meta({
      description:
        'The fetches that take long, measured every two seconds. Absent if there are none. The requests for the list are contained in `line`.',
    }),
    ratePerMinute: z.number().min(0),
    etaSeconds: z.number().min(0).optional(),
  })
  .meta({
    id: 'Progress',
    example: {
      runId: '20261124T213000Z-1f3a9c0e',
      state: 'running',
      phase: 'care-records',
      awaitingDecision: false,
      startedAt: '2026-11-24T21:30:00.000Z',
      stale: false,
      patients: { listed: 100, new: 100, changed: 0, removed: 0, unchanged: 0, quarantined: 2 },
      careRecords: { total: 100, done: 40, pending: 60, failed: 0, notInsured: 0 },
      line: { state: 'open', busy: true, requests: 200, failures: 160, failureRate: 0.8, faults: { stalled: 160 } },
      ratePerMinute: 12.5,
      etaSeconds: 288,
    },
  });
export const runs = z.object({ runs: z.array(progress), nextToken: nextToken.optional() });
export const runSamples = z.object({
  runId,
  samples: z
    .array(z.object({ at: time, done: count, failed: count }))
    .meta({ description: 'Samples, oldest first, at most 241.' }),
});
export const issuesQuery = z.strictObject({
  runId: runId.optional().meta({ description: 'The run to read. By default, the newest run.' }),
  kind: z.enum(issueKinds).optional().meta({ description: 'Only issues of this kind.' }),
  acknowledged: z.enum(['true', 'false']).optional().meta({
    description: 'Only issues that an operator has acknowledged, or only the others.',
  }),
  nextToken: nextToken.optional(),
});
const issueId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, 'is the id of an issue')
  .meta({
    id: 'IssueId',
    description: 'Names an issue in all runs: the same patient or entry, with the same problems at the same paths.',
    example: '9c0e5d41402abc4b2a76b9719d911017',
  });
export const acknowledgementsBody = z
  .strictObject({ issueIds: z.array(issueId).min(1).max(100), note: reason })
  .meta({ example: { issueIds: ['9c0e5d41402abc4b2a76b9719d911017'], note: 'reported to the insurer, ticket 4711' } });
export const acknowledgement = z
  .object({ by: z.string().meta({ example: 'operator-demo' }), at: time, note: z.string() })
  .meta({ id: 'Acknowledgement', description: 'Who has acknowledged an issue, when, and with which note.' });
export const issues = z.object({
  issues: z.array(
    z
      .object({
        kind: z.enum(issueKinds),
        reason: z.string(),
        patientRef: patientRef.optional(),
        previousPatientRef: patientRef.optional().meta({
          description: 'Only for `kvnr-changed`: the patient who is gone, and seems to be the same person.',
        }),
        position: count.optional().meta({ description: 'Place of the entry in the list. The first one is 0.' }),
        entryRef: z
          .string()
          .regex(/^[0-9a-f]{32}$/)
          .optional()
          .meta({ description: 'Only for a quarantined entry without a readable KVNR: the same text has the same.' }),
        id: issueId,
        firstSeen: time.optional().meta({ description: 'When a run had it first. Absent in runs of 0.2.0.' }),
        lastSeen: time.optional().meta({ description: 'When a run had it last. Absent in runs of 0.2.0.' }),
        runs: z.int().min(1).optional().meta({ description: 'How many runs have had it. Absent in runs of 0.2.0.' }),
        acknowledged: acknowledgement.optional().meta({
          description: 'Only if an operator has acknowledged it. If its paths or problems change, it is a new issue.',
        }),
      })
      .meta({
        id: 'Issue',
        example: {
          kind: 'quarantined',
          reason: 'kvnr: check digit',
          position: 17,
          id: '9c0e5d41402abc4b2a76b9719d911017',
          firstSeen: '2026-11-24T21:30:00.000Z',
          lastSeen: '2026-11-26T21:30:00.000Z',
          runs: 3,
        },
      }),
  ),
  nextToken: nextToken.optional(),
});

const day = z.iso.date().meta({ example: '2026-11-24' });
export const insurerReportQuery = z
  .strictObject({
    runId: runId.optional().meta({ description: 'One run. By default, the newest one.' }),
    from: day.optional().meta({ description: 'All runs that have started on this day or later, in German time.' }),
    to: day.optional().meta({ description: 'Only with `from`: the last day. By default, today.' }),
  })
  .refine(({ runId, from }) => runId === undefined || from === undefined, 'has either `runId` or `from`')
  .refine(({ from, to }) => to === undefined || (from !== undefined && from <= to), {
    path: ['to'],
    error: 'is `from` or a later day',
  });
export const insurerReport = z.object({
  problems: z.array(
    z
      .object({
        runId,
        startedAt: time,
        finishedAt: time.optional(),
        request: z.enum(reportedRequests).meta({
          description: 'Failed requests are counted together, for the list and for care records: `any`.',
        }),
        effect: z.enum(reportedEffects).meta({
          description:
            '`request-failed`: it was repeated; `list-unusable`: the list was not used; `not-stored`: an entry of the list was not taken; `not-fetched`: the care records of a patient are missing; `stored-as-sent`: the data break the contract, and are stored.',
        }),
        problem: z.string().meta({ description: 'Fixed words, never a value.' }),
        where: z.string().optional().meta({ description: "JSONPath (RFC 9535) in the insurer's document." }),
        count,
        of: count.optional().meta({ description: 'Only of `request-failed`: all requests of the run.' }),
        positions: z.array(count).optional().meta({ description: 'The first places in the list. Counted from 0.' }),
        patientRefs: z.array(patientRef).optional().meta({ description: 'The first patients.' }),
      })
      .meta({ id: 'InsurerProblem', description: 'All equal problems of one run that the insurer can mend.' }),
  ),
});
export const insurerReportCsv = z.string().meta({
  description: 'Columns: run, started, finished, request, effect, problem, where, count, of, examples.',
});

export const foundPatient = z.object({ patientRef });
const foundPerson = z
  .object({
    patientRef,
    familyName: z.string(),
    givenName: z.string(),
    birthDate: z.string().meta({ description: 'YYYY-MM-DD; YYYY-MM or YYYY if the insurer knows no more.' }),
  })
  .meta({ id: 'FoundPerson', description: 'The names are empty if the insurer has sent none.' });
export const foundPatients = z
  .object({
    hits: z.array(foundPerson).max(20),
    tooMany: z.literal(true).optional().meta({
      description: 'More than 20 people fit, so none is returned. Search with more letters, or with both names.',
    }),
  })
  .meta({ id: 'FoundPatients' });
export const lastSync = z
  .object({
    syncId,
    state: z.enum(['requested', 'running', 'completed', 'failed', 'not-insured', 'unknown']).meta({
      description:
        '`not-insured`, `unknown`: the insurer has answered 410 or 404. Then nothing is stored of the person but the access log.',
    }),
    requestedBy: z.string(),
    requestedAt: time,
    finishedAt: time.optional(),
    error: z.string().optional(),
    flags: z.string().optional().meta({
      description: 'What in the stored answer breaks the contract, in fixed words and JSON paths.',
    }),
  })
  .meta({ id: 'LastSync' });
const provisional = z.literal(true).optional().meta({
  description:
    'Somebody has asked for the care records of a person who is not on the list yet. The master data come with the next list.',
});
export const syncNow = lastSync
  .extend({
    provisional,
    line: z
      .object({
        state: lineState,
        until: line.shape.until,
        cooldown: cooldown.optional(),
        quietHours: quietHoursOfPeople,
      })
      .optional()
      .meta({
        description:
          'Only for a sync in progress, which waits while the line is paused. Absent if the line could not be read.',
      }),
  })
  .meta({ id: 'SyncNow' });
export const requestedSync = z
  .object({
    patientRef,
    syncId,
    state: lastSync.shape.state,
    requestedAt: time,
    line: line.extend({ quietHours: quietHoursOfPeople }).optional(),
  })
  .meta({
    id: 'RequestedSync',
    description: 'The sync waits while the line is paused. `line` is absent if the line could not be read.',
  });

const link = {
  href: z.url().meta({ description: 'Valid for five minutes. Needs no token. Its use is recorded as yours.' }),
  sizeBytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  expiresAt: time,
};
const documentLink = {
  ...link,
  as: z.literal('sent').optional().meta({
    description:
      'The link leads to the text `contentBase64` as the insurer sent it, not to a file: it is no base64, or an earlier version has stored it.',
  }),
  sent: z.object({ sizeBytes: count, sha256: link.sha256 }).optional().meta({
    description:
      'The base64 of the file is not the very text that the insurer sent. That text is behind `{href}?as=sent`.',
  }),
};
const documentContent = z
  .object({
    ...z.object(documentLink).partial().shape,
    insurerContent: z.unknown().optional().meta({
      description: 'What the insurer itself has sent as a field `content` of the document.',
    }),
  })
  .meta({
    id: 'DocumentContent',
    description:
      'Link to the file, with its size and SHA-256, in place of the text `contentBase64`. Without `href`, the insurer has sent no text.',
  });
const careRecord = z
  .looseObject({
    id: z.string(),
    documents: z
      .array(
        z.looseObject({
          content: documentContent.optional(),
          contentBase64: z.unknown().optional().meta({
            description:
              'As the insurer sent it, if it is no text, or a text that is not well-formed Unicode. Otherwise absent.',
          }),
        }),
      )
      .optional(),
  })
  .meta({
    id: 'CareRecord',
    description: 'A care record as the insurer sent it, with every field. The contents of documents are links.',
  });
const linkedCareRecord = z
  .object({
    id: z.string(),
    linked: z.literal(true),
    ...link,
    documents: z.array(z.object({ index: count, ...documentLink })),
  })
  .meta({
    id: 'LinkedCareRecord',
    description:
      'A care record that is too large for an answer. The link leads to its JSON text. There, contentBase64 is empty for the ' +
      'documents that are listed here by their index. The next page may list more documents with the same id.',
  });
export const patient = z.object({
  patient: z.looseObject({}).meta({
    description: 'Master data as the insurer sent them, with every field. Of a provisional patient only `kvnr`.',
  }),
  provisional,
  careRecords: z.array(z.union([linkedCareRecord, careRecord])),
  careRecordsAsOf: z
    .union([time, z.literal('unknown')])
    .optional()
    .meta({
      description:
        "When the insurer's answer with these care records was received, or when the insurer last said that they have not changed. `unknown` if 0.2.0 has stored them. Absent if care records were never fetched: then an empty `careRecords` says nothing.",
    }),
  lastSync: lastSync.optional(),
  nextToken: nextToken.optional(),
});
export const documentPath = z.strictObject({
  token: z
    .string()
    .max(4_000)
    .regex(/^[\w.-]+$/, 'is a link of this API'),
});
export const documentQuery = z.strictObject({
  as: z.literal('sent').optional().meta({
    description:
      'The text `contentBase64` as the insurer sent it, where `content.sent` or `content.as` says that it is kept.',
  }),
});

const accessOperation = z.enum(Object.keys(accessOperations) as [keyof typeof accessOperations]);
const moment = z.iso.datetime({ offset: true, error: isMoment }).meta({ example: '2026-11-24T00:00:00Z' });
/** Whether a period ends when it begins, or later. */
const isPeriod = ({ from, to }: { readonly from?: string | undefined; readonly to?: string | undefined }): boolean =>
  from === undefined || to === undefined || Date.parse(from) <= Date.parse(to);
const notBeforeFrom = { path: ['to'], error: 'is `from` or a later time' };
export const accessLogQuery = z
  .strictObject({
    who: z.string().min(1).max(200).optional().meta({ description: 'The `sub` of a token, or `epa-sync`.' }),
    role: z.enum([...roles, 'system', 'none']).optional(),
    operation: accessOperation.optional(),
    from: moment.optional().meta({ description: 'Entries recorded at this time or later.' }),
    to: moment.optional().meta({ description: 'Entries recorded before this time.' }),
    order: z
      .enum(['oldest', 'newest'])
      .optional()
      .meta({ description: 'Which entries come first. By default, the oldest.' }),
    nextToken: nextToken.optional(),
  })
  .refine(isPeriod, notBeforeFrom);
export const accessReportBody = z
  .strictObject({
    language: z.enum(reportLanguages),
    format: z.enum(reportFormats),
    from: moment.optional().meta({ description: 'Only entries recorded at this time or later.' }),
    to: moment.optional().meta({ description: 'Only entries recorded before this time.' }),
  })
  .refine(isPeriod, notBeforeFrom);
export const accessReport = z
  .object({
    href: z.url().meta({ description: 'Link to the document. Needs no token, and must not be passed on.' }),
    fileName: z.string().meta({ example: 'auskunft-5d41402a-2026-11-30.pdf' }),
    mediaType: z.string().meta({ example: 'application/pdf' }),
    sizeBytes: count,
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .meta({ description: 'SHA-256 of the document, in hex.' }),
    expiresAt: time.meta({ description: 'From this time on, the link is not valid any more.' }),
  })
  .meta({ id: 'AccessReport' });
const accessEntry = z
  .object({
    id: z.string(),
    patientRef,
    recorded: time,
    operation: accessOperation,
    outcome: z.enum(['success', 'refused', 'failed']),
    agent: z.object({ who: z.string(), name: z.string().optional(), role: z.enum([...roles, 'system', 'none']) }),
    source: z.object({
      component: z.enum(['api', 'sync']),
      correlationId: z.string().optional(),
      address: z.string().optional(),
    }),
    entity: z.object({ kind: z.enum(['document', 'sync', 'list', 'export']), id: z.string() }).optional(),
    previousPatientRef: patientRef.optional().meta({
      description: 'Only for `kvnr-change`: the same person under the KVNR of before.',
    }),
    nextPatientRef: patientRef.optional().meta({
      description: 'Only for `kvnr-change`: the same person under the KVNR of now.',
    }),
    seq: z.int().min(1),
    prevHash: z.string(),
    prevRecorded: time.optional(),
    format: z.literal(2).optional().meta({
      description: 'The hash covers `expiresAt`. Absent in entries of 0.2.0, whose hash covers neither of both.',
    }),
    expiresAt: z.int().optional().meta({ description: 'Unix time at which the entry expires. Only with `format`.' }),
    hash: z.string(),
  })
  .meta({ id: 'AccessEntry', description: 'One entry of the hash chain of its `patientRef`.' });
export const accessLog = z.object({
  patientRefs: z.array(patientRef).meta({
    description: 'Whose entries these are: the patient asked for, and the same person under other KVNRs.',
  }),
  entries: z.array(accessEntry),
  nextToken: nextToken.optional(),
});
export const auditBundle = z.looseObject({ resourceType: z.literal('Bundle') }).meta({
  id: 'AuditBundle',
  description: 'A Bundle of AuditEvents (FHIR R4). Its link `next` leads to the next page.',
});
/** What a client of FHIR may add to any request. Answers are JSON in any case. */
const fhirFormat = { _format: z.enum(['json', 'application/json', 'application/fhir+json']).optional() };
const fhirPage = {
  ...fhirFormat,
  _count: z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'is a number from 1')
    .optional()
    .meta({ description: 'Most resources in a page: 50 by default, and never more than 100.' }),
  nextToken: nextToken.optional(),
};
const ofPatient = {
  patient: z
    .string()
    .overwrite((text) => text.replace(/^Patient\//, ''))
    .regex(/^[0-9a-f]{32}$/, 'is 32 hex digits in lower case')
    .meta({
      description: 'Pseudonym of a patient, also as `Patient/{patientRef}`. Never a KVNR.',
      pattern: '^(Patient/)?[0-9a-f]{32}$', // as it is sent
      example: '5d41402abc4b2a76b9719d911017c592',
    }),
};
export const fhirQuery = z.strictObject(fhirFormat);
export const fhirPageQuery = z.strictObject(fhirPage);
export const fhirPatientQuery = z.strictObject({ ...ofPatient, ...fhirFormat });
export const fhirPatientPageQuery = z.strictObject({ ...ofPatient, ...fhirPage });
export const fhirPath = z.strictObject({
  id: z
    .string()
    .regex(/^[0-9a-f]{32}-[0-9a-f]{24}$/, 'is the id of a resource')
    .meta({ example: '5d41402abc4b2a76b9719d911017c592-9f86d081884c7d659a2feaa0' }),
});
const kvnrToken = `${systems.kvnr}|`;
export const fhirPatientSearch = z.strictObject({
  identifier: z
    .string()
    .max(kvnrToken.length + kvnrTextMax)
    .overwrite((text) => (text.startsWith(kvnrToken) ? normalKvnr(text.slice(kvnrToken.length)) : ''))
    .regex(/^[A-Z][0-9]{9}$/, `is ${kvnrToken} and a KVNR`)
    .refine(isKvnr, 'has a wrong check digit')
    .meta({
      description: 'System and KVNR, as the token of a search is written in FHIR.',
      pattern: '^http://fhir\\.de/sid/gkv/kvid-10\\|[A-Z][0-9]{9}$', // as it is sent
      example: `${kvnrToken}A123456780`,
    }),
  _count: fhirPage._count,
  ...fhirFormat,
});
const nameOf = ({ id = '' }: { readonly id?: string | undefined }): string => id;
export const structureDefinitionPath = z.strictObject({ name: z.enum(structureDefinitions.map(nameOf)) });
export const codeSystemPath = z.strictObject({ name: z.enum(codeSystems.map(nameOf)) });
export const fhirResource = <Type extends string>(resourceType: Type) =>
  z.looseObject({ resourceType: z.literal(resourceType) }).meta({ description: `A ${resourceType} (FHIR R4).` });
export const fhirBundle = fhirResource('Bundle').meta({
  id: 'SearchBundle',
  description: 'A Bundle of the type searchset (FHIR R4). Its link `next` leads to the next page.',
});
export const operationOutcome = fhirResource('OperationOutcome').meta({ id: 'OperationOutcome' });

const base64 = z
  .string()
  .regex(/^[\w+/-]*={0,2}$/, 'is base64')
  .meta({ example: 'anNvbi9wbGFpbg==' });
const codecPayload = z
  .object({ metadata: z.record(z.string(), base64).optional(), data: base64.optional() })
  .meta({ id: 'Payload', description: 'A temporal.api.common.v1.Payload as JSON.' });
export const codecPayloads = z
  .strictObject({ payloads: z.array(codecPayload).max(1_000) })
  .meta({ id: 'Payloads', example: { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'Mg==' }] } });

export const openApi = z.looseObject({ openapi: z.literal('3.1.0') });

const brokenLog = {
  firstBrokenSeq: z.int().min(1).optional().meta({ description: 'The first entry that was changed or is missing.' }),
  problem: z.enum(logProblems).optional().meta({
    description:
      'What is wrong with that entry. `changed`: it is not as it was written; `missing`: it was removed before it expired; `differs-from-anchor`: it was replaced; `anchored-twice`: two different entries were written with this seq.',
  }),
};
const anchorCounts = {
  anchored: count.meta({ description: 'Entries with an anchor outside the table.' }),
  unanchored: count.meta({
    description: 'Entries without an anchor. An anchor comes some seconds after its entry. Entries of 0.2.0 need none.',
  }),
  oldestUnanchoredSeconds: z.number().min(0).optional().meta({
    description: 'Age of the oldest entry without an anchor. Absent if there is none.',
  }),
};
const logVerification = z.object({ valid: z.boolean(), entries: count, ...brokenLog, ...anchorCounts });
const unanchoredSeqs = z.array(z.int()).optional().meta({
  description: 'The first entries without an anchor, at most 100.',
});
export const verification = logVerification.extend({
  logs: z.array(logVerification.extend({ patientRef, unanchoredSeqs })).meta({
    description: 'Each log of the person: that of the patient asked for, and those under other KVNRs.',
  }),
});

export const startedCheck = z.object({ state: z.literal('running') });
export const accessLogCheck = z.object({
  check: z
    .object({
      state: z.enum(['running', 'completed']),
      startedAt: time,
      finishedAt: time.optional(),
      logs: count.meta({ description: 'Logs verified so far.' }),
      entries: count,
      unanchored: anchorCounts.unanchored,
      oldestUnanchoredSeconds: anchorCounts.oldestUnanchoredSeconds,
      brokenLogs: count,
      broken: z
        .array(z.object({ patientRef, firstBrokenSeq: z.int(), problem: z.enum(logProblems) }))
        .meta({ description: 'The first broken logs, at most 100.' }),
    })
    .optional()
    .meta({ id: 'AccessLogCheck', description: 'Absent before the first check. A check starts each month.' }),
});

const exportId = z
  .string()
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/, 'is the ID of an export')
  .meta({ id: 'ExportId', example: '20261130T050000Z-1f3a9c0e' });
export const exportPath = z.strictObject({ exportId });
export const exportStatus = z
  .object({
    exportId,
    state: z.enum(exportStates).meta({
      description:
        '`expired`: it was completed, and its files are deleted. Those of a failed or cancelled export are deleted immediately.',
    }),
    requestedBy: z.string(),
    transactionTime: time.meta({
      description:
        'When it was requested. Everything stored before is contained, as it was then or later: each patient as they were when their batch was read.',
    }),
    request: z.url().meta({ description: 'Address of the request that has started it.' }),
    requiresAccessToken: z.literal(false).meta({ description: 'Addresses of `output` are signed, and need no token.' }),
    percent: z.int().min(0).max(100),
    patients: count.meta({ description: 'Patients written so far. The access log of each one has an entry.' }),
    skipped: count.meta({
      description:
        'Patients left out so far, because their stored data cannot be read. They have no entry; the log of the workers has their pseudonyms.',
    }),
    counts: z
      .object(
        Object.fromEntries(exportedTypes.map((type) => [type, count])) as Record<
          (typeof exportedTypes)[number],
          typeof count
        >,
      )
      .meta({ description: 'Resources written so far.' }),
    changed: z
      .object({ by: z.string(), at: time })
      .optional()
      .meta({ description: 'Who paused, resumed or cancelled it last, and when.' }),
    finishedAt: time.optional(),
    filesExpireAt: time.optional().meta({ description: 'When the files are deleted. Only of a completed export.' }),
    failure: z.enum(exportFailures).optional().meta({
      description:
        'Why it has failed. `too-old`: it has not ended within six days; `batch-failed`: one batch failed for an hour; `not-started`: Temporal did not answer the request that was to start it, which got 503.',
    }),
    output: z
      .array(
        z.object({
          type: z.enum(exportedTypes),
          url: z
            .url()
            .meta({ description: 'Address of the file, as NDJSON. It is signed, and expires at `expiresAt`.' }),
          count: count.meta({ description: 'Resources in the file, one a line.' }),
          sizeBytes: count,
          sha256: z.string(),
          expiresAt: time,
        }),
      )
      .optional()
      .meta({
        description:
          'The files. Only of a completed export, and only for the caller who has started it: the access entries name them.',
      }),
    error: z.array(z.never()).meta({
      description:
        'Always empty: an export has all files, or it fails. `skipped` counts the patients who are left out.',
    }),
  })
  .meta({ id: 'Export', description: 'An export, in the words of FHIR Bulk Data (Complete Status).' });
export const exportList = z.object({ exports: z.array(exportStatus) }).meta({
  description: 'The last 50 exports, newest first, without their files.',
});

export const problem = z
  .object({
    type: z.string().meta({ description: 'Type of the problem. docs/reference/problems.md explains each one.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    correlationId: z.string().optional(),
    errors: z
      .array(z.object({ in: z.enum(['body', 'path', 'query']), pointer: z.string(), detail: z.string() }))
      .optional(),
    made: madeDecision
      .pick({ decision: true, by: true, decidedAt: true })
      .optional()
      .meta({ description: 'Only of `decision-made`: who decided what, and when.' }),
    exportId: exportId
      .optional()
      .meta({ description: 'Only of `export-in-progress`: the export that is in progress.' }),
  })
  .meta({
    id: 'Problem',
    description: 'A problem (RFC 9457).',
    example: {
      type: problemType('invalid-request'),
      title: 'The request does not match the contract',
      status: 400,
      correlationId: '0e4d1e0e-6d0c-4bc9-8f25-6a6b1a8b7f0d',
      errors: [{ in: 'body', pointer: '/kvnr', detail: 'has a wrong check digit' }],
    },
  });
