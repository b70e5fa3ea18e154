import { expect, test } from 'vitest';
import {
  type Command,
  carriedOver,
  type DailySync,
  type DailySyncEvent,
  decisionFault,
  openQuestion,
  startDailySync,
  transition,
  unusableListsMax,
} from './daily-sync.ts';
import { zeroLineUse } from './line.ts';

const runId = '20261124T213000Z-1f3a9c0e';
const limits = { syncWindow: 2, removalLimitPercent: 5, removalLimitPeople: 1_000 };
const by = 'olga';

type NewEvent = DailySyncEvent extends infer Event ? (Event extends unknown ? Omit<Event, 'atMs'> : never) : never;

/** A run whose events a test sends. Remembers the commands that are not carried out yet. */
function openRun(state: DailySync = startDailySync(runId, limits, 0)) {
  let atMs = 0;
  let open: Command[] = [];
  const run = {
    get state() {
      return state;
    },
    /** names of the commands in progress, without those that save */
    get open() {
      return open.filter(({ do: name }) => !name.startsWith('save')).map(({ do: name }) => name);
    },
    all: () => open,
    tell(event: NewEvent) {
      atMs += 1_000;
      const next = transition(state, { ...event, atMs } as DailySyncEvent);
      state = JSON.parse(JSON.stringify(next.state)) as DailySync; // as continue-as-new carries it
      open.push(...next.commands);
    },
    /** Ends a command in progress with an event. */
    end(name: Command['do'], event: NewEvent) {
      const command = open.find((each) => each.do === name);
      expect(command, `${name} in progress, among ${run.open.join()}`).toBeDefined();
      open = open.filter((each) => each !== command);
      run.tell(event);
    },
    endTask(task: 'removeGone' | 'completeList' | 'deleteList' | 'removeHeld' | 'recordIssue', removed = 0) {
      const command = open.find((each) => each.do === task);
      run.end(task, { on: 'taskEnded', task, listId: command && 'listId' in command ? command.listId : '', removed });
    },
    save() {
      const last = open.findLast((each) => each.do === 'save');
      open = open.filter((each) => each.do !== 'save');
      if (last?.do === 'save') run.tell({ on: 'saved', revision: last.revision });
    },
    /** Fetches, splits and applies the list that is being fetched. */
    applyList({ gone = 0, stored = 100, etag = '"e"', unreadable = 0, recentRemovals = 0 } = {}) {
      const fetching = open.find((each) => each.do === 'fetchList');
      const listId = fetching?.do === 'fetchList' ? fetching.listId : '';
      const list = { listId, manifest: { key: 'k', sizeBytes: 1, sha256: 'h' }, sizeBytes: 1, etag };
      run.end('fetchList', { on: 'listFetched', list, lineUse: zeroLineUse });
      const split = { entries: 100, quarantined: unreadable, unreadable, shardParts: [] };
      run.end('splitList', { on: 'split', split });
      run.end('beginList', { on: 'begun' });
      const counts = { listed: 100, new: 0, changed: 0, unchanged: 100, gone, stored };
      run.end('applyList', { on: 'applied', counts, recentRemovals, kvnrChanged: 0 });
      return listId;
    },
    count({ stored = 100, provisional = 0, pending = 0, reported = 0, pendingShards = '0' } = {}) {
      run.end('countPatients', { on: 'counted', stored, provisional, pending, pendingShards, removing: 0, reported });
    },
    listPending(...patientRefs: string[]) {
      run.end('listPending', { on: 'pendingListed', patientRefs });
    },
    decide(decision: 'approve' | 'reject', listId: string) {
      const fault = decisionFault(state, { decision, listId });
      if (fault === undefined) run.tell({ on: 'decided', decision, listId, by });
      return fault;
    },
  };
  return run;
}

/** Returns a run whose first list asks about 40 of 78 patients, after the fetches. */
function openAskingRun() {
  const run = openRun();
  run.tell({ on: 'started' });
  const listId = run.applyList({ gone: 40, stored: 78 });
  run.count({ stored: 78 });
  run.listPending();
  return { run, listId };
}

const patientRefs = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => index.toString(16).padStart(32, '0'));

/** Returns a run that has fetched everything and is being swept, and that starts a refresh afterwards. */
function openEndingRun(careRefreshAfterDays?: number) {
  const more = careRefreshAfterDays === undefined ? {} : { careRefreshAfterDays };
  const run = openRun(startDailySync(runId, { ...limits, ...more }, 0));
  run.tell({ on: 'started' });
  run.applyList();
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ stored: 1_000, pending: 2 });
  const refs = patientRefs(2);
  run.listPending(...refs);
  const [patientRef = '', leaving = ''] = refs;
  run.tell({ on: 'patientNotInsured', patientRef: leaving, lineUse: zeroLineUse });
  run.end('removePatient', { on: 'patientEnded', patientRef: leaving, outcome: 'not-insured' });
  run.end('syncPatient', { on: 'patientEnded', patientRef, outcome: 'done' });
  run.end('sweep', { on: 'swept' });
  return run;
}

test('a completed run starts a refresh after its end is saved, if one is wanted, and then ends', () => {
  const run = openEndingRun(30);
  expect(run.open).not.toContain('startRefresh');
  run.save();
  const command = run.all().find((each) => each.do === 'startRefresh');
  // 5 % of 1 000 patients, and one of them is removed already
  expect(command).toMatchObject({
    afterDays: 30,
    removalsLeft: 49,
    unapprovedRemovals: 1,
  });
  expect(run.state.step.name).toBe('ending');
  run.end('startRefresh', { on: 'refreshStarted' });
  expect(run.state).toMatchObject({ step: { name: 'done' }, run: { state: 'completed' } });

  const without = openEndingRun();
  without.save();
  expect(without.state.step.name).toBe('done');
});

test('a trigger that comes while the refresh is being started takes the run further', () => {
  const run = openEndingRun(30);
  run.save();
  run.tell({ on: 'triggered' });
  expect(run.open).not.toContain('fetchList');
  run.end('startRefresh', { on: 'refreshStarted' });
  expect(run.open).toContain('fetchList');
  expect(run.state.run.state).toBe('running');
});

test('a cancelled run starts no refresh', () => {
  const run = openRun(startDailySync(runId, { ...limits, careRefreshAfterDays: 30 }, 0));
  run.tell({ on: 'started' });
  run.tell({ on: 'stopping', as: 'cancelled' });
  run.tell({ on: 'stopped' });
  run.end('sweep', { on: 'swept' });
  run.save();
  expect(run.all().map(({ do: name }) => name)).not.toContain('startRefresh');
  expect(run.state.step.name).toBe('done');
});

test('a run lists, splits, applies, counts, fetches, sweeps and ends', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  expect(run.open).toEqual(['fetchList']);
  run.applyList({ gone: 2 });
  expect(run.open).toEqual(['removeGone']);
  run.endTask('removeGone', 2);
  expect(run.open).toEqual(['completeList']);
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ pending: 3, provisional: 2 });
  const refs = patientRefs(3);
  run.listPending(...refs);
  expect(run.open).toEqual(['syncPatient', 'syncPatient']); // the window
  for (const patientRef of refs) run.end('syncPatient', { on: 'patientEnded', patientRef, outcome: 'done' });
  expect(run.open).toEqual(['sweep']);
  run.end('sweep', { on: 'swept' });
  expect(run.state.run.state).toBe('running'); // until the end is saved
  run.save();
  expect(run.state).toMatchObject({ step: { name: 'done' }, run: { state: 'completed', unapprovedRemovals: 2 } });
  expect(run.state.run.careRecords).toMatchObject({ total: 3, done: 3 });
  expect(run.state.run.patients).toMatchObject({ listed: 100, provisional: 2 });
});

test('a run ends as completed with problems if too much of the list or of the care records is unreadable', () => {
  const ends = (quarantined: number, failed: number, acknowledged = 0): string => {
    const run = openRun(startDailySync(runId, { ...limits, syncWindow: 50, unreadableLimitPercent: 5 }, 0));
    run.tell({ on: 'started' });
    run.applyList({ unreadable: quarantined });
    run.endTask('completeList');
    run.endTask('deleteList');
    run.count({ pending: 40 });
    const refs = patientRefs(40);
    run.listPending(...refs);
    for (const [index, patientRef] of refs.entries()) {
      const end =
        index < failed
          ? ({ outcome: 'exhausted', issue: { reason: 'stalled', isAcknowledged: index < acknowledged } } as const)
          : { outcome: 'done' as const };
      run.end('syncPatient', { on: 'patientEnded', patientRef, ...end });
    }
    run.end('sweep', { on: 'swept' });
    run.save();
    if (failed > 0)
      expect(run.state.run.problems?.careRecords).toEqual([{ path: 'answer', kind: 'stalled', count: failed }]);
    return run.state.run.state;
  };
  expect(ends(5, 1)).toBe('completed'); // 5 of 105 entries, 1 of 40 patients
  expect(ends(6, 0)).toBe('completed-with-problems');
  expect(ends(0, 2)).toBe('completed-with-problems');
  expect(ends(0, 2, 1)).toBe('completed'); // an operator knows the other one
});

test('a list that has not changed keeps its problems, and with them the state of the run', () => {
  const ends = (acknowledged: number): DailySync['run'] => {
    const run = openRun(startDailySync(runId, { ...limits, unreadableLimitPercent: 5 }, 0));
    run.tell({ on: 'started' });
    const problems = [{ path: 'kvnr', kind: 'missing', count: 6 }];
    const carried = { quarantined: 6, flagged: 2, kvnrChanged: 0, acknowledged, problems };
    run.end('fetchList', { on: 'listUnchanged', lineUse: zeroLineUse, carried });
    run.count();
    run.listPending();
    run.end('sweep', { on: 'swept' });
    run.save();
    return run.state.run;
  };
  expect(ends(0)).toMatchObject({
    state: 'completed-with-problems',
    patients: { listed: 100, unchanged: 100, quarantined: 6, flagged: 2 },
    problems: { list: [{ path: 'kvnr', kind: 'missing', count: 6 }] },
  });
  expect(ends(1).state).toBe('completed');
});

test('only shards with pending patients are asked for them, also after continue-as-new', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.applyList();
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ pending: 1, pendingShards: '8' });
  expect(run.all()).toContainEqual({ do: 'listPending', from: { shardIndex: 0 }, pendingShards: '8' });
  const next = openRun(carriedOver(run.state));
  next.tell({ on: 'pendingListed', patientRefs: [] });
  expect(next.all()).toContainEqual({ do: 'listPending', from: { shardIndex: 0 }, pendingShards: '8' });
});

test('once reported patients have been reopened, all shards are asked for pending patients', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.applyList();
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ pending: 1, reported: 1, pendingShards: '8' });
  run.end('reopenReported', { on: 'reopened' });
  expect(run.all()).toContainEqual({ do: 'listPending', from: { shardIndex: 0 } });
});

test('a decision about an older list is rejected while a newer one is due, and removes nobody on it', () => {
  const { run, listId } = openAskingRun();
  expect(openQuestion(run.state)).toMatchObject({ listId, kind: 'list', removals: 40, stored: 78, reasons: ['share'] });
  run.tell({ on: 'triggered' });
  expect(openQuestion(run.state)).toBeUndefined();
  expect(run.decide('approve', listId)).toBe('outdated');
  run.applyList({ gone: 0, stored: 78 }); // the newer list has all of them
  expect(run.decide('approve', listId)).toBe('outdated');
  expect(run.open).not.toContain('removeGone');
  expect(run.all()).toContainEqual({ do: 'deleteList', listId });
});

test('a decision that names no list is about the open question, and about none while a newer list is due', () => {
  const { run } = openAskingRun();
  expect(decisionFault(run.state, { decision: 'approve' })).toBeUndefined();
  run.tell({ on: 'triggered' });
  expect(decisionFault(run.state, { decision: 'approve' })).toBe('outdated');
  run.applyList({ gone: 0, stored: 78 });
  expect(decisionFault(run.state, { decision: 'approve' })).toBe('not-awaited');
});

test('a newer list that is due waits for a fetch in progress, and the question is suspended meanwhile', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  const listId = run.applyList({ gone: 40, stored: 78 });
  run.count({ stored: 78, pending: 1 });
  const [patientRef = ''] = patientRefs(1);
  run.listPending(patientRef);
  run.tell({ on: 'triggered' });
  expect(run.open).toEqual(['syncPatient']);
  expect(run.decide('approve', listId)).toBe('outdated');
  run.end('syncPatient', { on: 'patientEnded', patientRef, outcome: 'done' });
  expect(run.open).toEqual(['fetchList']);
});

test('if the newer list is unusable, the question is offered again and can be decided', () => {
  const { run, listId } = openAskingRun();
  run.tell({ on: 'triggered' });
  for (let unusable = 0; unusable < unusableListsMax; unusable++) run.end('fetchList', { on: 'listUnusable' });
  expect(openQuestion(run.state)).toMatchObject({ listId, removals: 40 });
  expect(run.decide('approve', listId)).toBeUndefined();
  expect(run.open).toContain('removeGone');
  expect(run.state.hasListFailed).toBe(true);
});

test('the issue of a list that is unusable three times says what is wrong with the last one', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  for (const problem of ['truncated', 'truncated', 'syntax']) run.end('fetchList', { on: 'listUnusable', problem });
  expect(run.all()).toContainEqual({ do: 'recordIssue', listId: `${runId}-3`, problem: 'syntax' });
});

test('a list that is final in being unusable is not asked for again', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.end('fetchList', { on: 'listUnusable', problem: 'status 404', isFinal: true });
  expect(run.all()).toContainEqual({ do: 'recordIssue', listId: `${runId}-1`, problem: 'status 404' });
  expect(run.open).not.toContain('fetchList');
});

test('a decision has one effect: repeated, it says who decided; an unknown one is rejected', () => {
  const { run, listId } = openAskingRun();
  expect(run.decide('approve', `${runId}-7`)).toBe('unknown');
  expect(run.decide('approve', '20261123T213000Z-00000000-1')).toBe('outdated'); // of yesterday's run
  expect(run.decide('maybe' as 'approve', listId)).toBe('invalid');
  expect(run.decide('approve', listId)).toBeUndefined();
  expect(run.decide('approve', listId)).toBe('made');
  expect(run.decide('reject', listId)).toBe('made');
  expect(run.open.filter((name) => name === 'removeGone')).toHaveLength(1);
  expect(run.state.run.decisions).toMatchObject([{ listId, decision: 'approve', by, removals: 40, stored: 78 }]);
  run.endTask('removeGone', 40);
  expect(run.state.run).toMatchObject({ patients: { removed: 40 }, unapprovedRemovals: 0 });
  expect(run.all()).toContainEqual({ do: 'completeList', listId, etag: '"e"' });
});

test('an approved removal is carried out while fetches are in progress', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  const listId = run.applyList({ gone: 40, stored: 78 });
  run.count({ stored: 78, pending: 1 });
  run.listPending(...patientRefs(1));
  run.decide('approve', listId);
  expect(run.open).toEqual(['syncPatient', 'removeGone']);
});

test('a rejected list is never marked as applied, and its objects are deleted', () => {
  const { run, listId } = openAskingRun();
  run.decide('reject', listId);
  expect(run.open).toEqual(['deleteList']);
  run.endTask('deleteList');
  run.end('sweep', { on: 'swept' });
  expect(run.open).not.toContain('completeList');
});

test('the applied list is forgotten before the first write of another one', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  const list = { listId: `${runId}-1`, manifest: { key: 'k', sizeBytes: 1, sha256: 'h' }, sizeBytes: 1 };
  run.end('fetchList', { on: 'listFetched', list, lineUse: zeroLineUse });
  run.end('splitList', { on: 'split', split: { entries: 1, quarantined: 0, unreadable: 0, shardParts: [] } });
  expect(run.open).toEqual(['beginList']);
});

test('removals of the last seven days and entries without a readable KVNR raise a question', () => {
  const recent = openRun();
  recent.tell({ on: 'started' });
  recent.applyList({ gone: 4, recentRemovals: 30 });
  expect(openQuestion(recent.state)).toMatchObject({ removals: 4, reasons: ['share'] });
  const unreadable = openRun();
  unreadable.tell({ on: 'started' });
  unreadable.applyList({ gone: 1, unreadable: 21 });
  expect(openQuestion(unreadable.state)).toMatchObject({ removals: 1, reasons: ['unreadable-entries'] });
});

/** Answers 410 for each patient, and carries out what the run wants. */
function answerNotInsured(run: ReturnType<typeof openRun>, patientRefs: readonly string[]) {
  for (const patientRef of patientRefs) {
    run.end('syncPatient', { on: 'patientNotInsured', patientRef, lineUse: zeroLineUse });
    if (run.open.includes('removePatient'))
      run.end('removePatient', { on: 'patientEnded', patientRef, outcome: 'not-insured' });
    else run.end('holdPatient', { on: 'patientEnded', patientRef, outcome: 'held' });
  }
}

/** Returns a run in which the insurer has answered 410 for 25 patients, five more than it removes by itself. */
function openBurst(pending = 25) {
  const run = openRun();
  run.tell({ on: 'started' });
  run.applyList();
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ pending });
  const refs = patientRefs(pending);
  run.listPending(...refs);
  answerNotInsured(run, refs.slice(0, 25));
  return { run, refs, question: `${runId}-not-insured-1` };
}

test('above 20 answers 410 the run holds patients and asks, and goes on with the others', () => {
  const { run, refs, question } = openBurst(26);
  expect(run.state.run.careRecords).toMatchObject({ notInsured: 25, held: 5 });
  expect(openQuestion(run.state)).toMatchObject({ listId: question, kind: 'not-insured', removals: 5, stored: 100 });
  run.end('syncPatient', { on: 'patientEnded', patientRef: refs[25] ?? '', outcome: 'done' });
  expect(run.state.step.name).toBe('awaiting-decision');
  expect(run.decide('approve', question)).toBeUndefined();
  expect(run.open).toEqual(['removeHeld']);
  run.endTask('removeHeld');
  expect(run.state.run.careRecords).toMatchObject({ notInsured: 25, held: 0 });
  expect(run.state.run.unapprovedRemovals).toBe(20);
  expect(run.open).toEqual(['sweep']);
});

test('after an approval the count starts again, with a new question', () => {
  const { run, refs, question } = openBurst(50);
  run.decide('approve', question);
  answerNotInsured(run, refs.slice(25, 50));
  expect(run.state.run.careRecords).toMatchObject({ notInsured: 50, held: 10 });
  expect(openQuestion(run.state)).toMatchObject({ listId: `${runId}-not-insured-2`, removals: 5 });
});

test('an approval waits for a patient that is just being held, so that it removes all that it names', () => {
  const { run, refs, question } = openBurst(26);
  const [last = ''] = refs.slice(25);
  run.end('syncPatient', { on: 'patientNotInsured', patientRef: last, lineUse: zeroLineUse });
  expect(openQuestion(run.state)).toMatchObject({ removals: 6 });
  run.decide('approve', question);
  expect(run.open).toEqual(['holdPatient']);
  run.end('holdPatient', { on: 'patientEnded', patientRef: last, outcome: 'held' });
  expect(run.open).toEqual(['removeHeld']);
});

test('after a rejection the run keeps further patients without a question', () => {
  const { run, refs, question } = openBurst(27);
  run.decide('reject', question);
  answerNotInsured(run, refs.slice(25));
  expect(openQuestion(run.state)).toBeUndefined();
  expect(run.state.run.careRecords).toMatchObject({ notInsured: 27, held: 7 });
  expect(run.open).toEqual(['sweep']);
});

test('held patients are pending again when the next list is counted, and their question is dropped', () => {
  const { run, question } = openBurst();
  run.tell({ on: 'triggered' });
  run.end('fetchList', { on: 'listUnchanged', lineUse: zeroLineUse });
  expect(run.decide('approve', question)).toBe('outdated');
  run.count({ stored: 80, reported: 5 });
  expect(run.open).toEqual(['reopenReported']);
  run.end('reopenReported', { on: 'reopened' });
  expect(run.state.run.careRecords).toMatchObject({ total: 25, notInsured: 20, held: 0 });
  expect(run.open).toEqual(['listPending']);
});

test('the run continues as new only when nothing is in progress, and carries its question', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  const listId = run.applyList({ gone: 40, stored: 78 });
  run.count({ stored: 78, pending: 3 });
  const [first = '', second = '', third = ''] = patientRefs(3);
  run.listPending(first, second, third);
  run.tell({ on: 'continueAsNewSuggested' });
  run.end('syncPatient', { on: 'patientEnded', patientRef: first, outcome: 'done' });
  run.end('syncPatient', { on: 'patientEnded', patientRef: second, outcome: 'done' });
  expect(run.open).toEqual([]);
  expect(run.state.step).toMatchObject({ name: 'continuing', isSaved: false });
  run.save();
  expect(run.state.step).toMatchObject({ name: 'continuing', isSaved: true });

  const next = openRun(carriedOver(run.state));
  next.tell({ on: 'started' });
  expect(next.all()).toContainEqual({ do: 'listPending', from: { shardIndex: 0, after: second }, pendingShards: '0' });
  expect(next.decide('approve', listId)).toBeUndefined();
  expect(next.open).toContain('removeGone');
});

test('a decision during continue-as-new is carried out first', () => {
  const { run, listId } = openAskingRun();
  run.tell({ on: 'continueAsNewSuggested' });
  expect(run.state.step.name).toBe('continuing');
  run.decide('approve', listId);
  run.save();
  expect(run.state.step.name).toBe('draining');
  run.endTask('removeGone', 40);
  run.endTask('completeList');
  run.endTask('deleteList');
  expect(run.state.step.name).toBe('continuing');
});

test('a trigger during the last save continues the run', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.end('fetchList', { on: 'listUnchanged', lineUse: zeroLineUse });
  run.count();
  run.listPending();
  run.end('sweep', { on: 'swept' });
  run.tell({ on: 'triggered' });
  run.save();
  expect(run.open).toEqual(['fetchList']);
  expect(run.state.run.state).toBe('running');
});

test('removals that a cancelled run has begun count as unapproved, because nobody knows how many it has made', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.applyList({ gone: 4 });
  expect(run.open).toEqual(['removeGone']);
  run.tell({ on: 'stopping', as: 'cancelled' });
  run.tell({ on: 'stopped' });
  run.end('sweep', { on: 'swept' });
  run.save();
  expect(run.state.run).toMatchObject({ state: 'cancelled', unapprovedRemovals: 4 });
});

test('a cancelled run starts nothing, but completes what a 410 has begun', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.applyList();
  run.endTask('completeList');
  run.endTask('deleteList');
  run.count({ pending: 3 });
  const [first = '', second = '', third = ''] = patientRefs(3);
  run.listPending(first, second, third);
  run.tell({ on: 'cancelRequested', by, reason: 'a test' });
  run.tell({ on: 'stopping', as: 'cancelled' });
  run.end('syncPatient', { on: 'patientNotInsured', patientRef: first, lineUse: zeroLineUse });
  expect(run.open).toEqual(['syncPatient', 'removePatient']);
  run.end('removePatient', { on: 'patientEnded', patientRef: first, outcome: 'not-insured' });
  run.tell({ on: 'stopped' });
  run.end('sweep', { on: 'swept' });
  run.save();
  expect(run.state).toMatchObject({ step: { name: 'done' }, run: { state: 'cancelled', cancellation: { by } } });
});

test('a run that fails unexpectedly sweeps, and is stored as failed, even if a trigger has come', () => {
  const run = openRun();
  run.tell({ on: 'started' });
  run.tell({ on: 'stopping', as: 'internal' });
  run.tell({ on: 'triggered' });
  run.tell({ on: 'stopped' });
  expect(run.open).toContain('sweep');
  run.end('sweep', { on: 'swept' });
  run.save();
  expect(run.state).toMatchObject({ step: { name: 'done' }, run: { state: 'failed', failure: 'internal' } });
});
