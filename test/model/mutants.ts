import { type Mutant, replaceInSource } from '../simulation/mutants.ts';

const machine = 'core/domain/daily-sync.ts';
const guard = 'core/domain/removal-guard.ts';

/** Faults in the rules of a run, which the model finds in memory. */
export const ruleMutants: Readonly<Record<string, Mutant>> = {
  'an approval is carried out while a newer list is applied': {
    file: machine,
    find: "  isListDue || ['listing', 'splitting', 'applying', 'ending', 'stopping', 'done'].includes(step.name);",
    replace: "  ['ending', 'stopping', 'done'].includes(step.name);",
  },
  'the question of an older list stays open': {
    file: machine,
    find: '    state.listQuestion = undefined;\n    state.heldQuestion = undefined;\n  }',
    replace: '  }',
  },
  'a rejected list counts as applied': {
    file: machine,
    find: ": { do: 'deleteList', listId },\n      );",
    replace: ": { do: 'completeList', listId, ...(etag !== undefined && { etag }) },\n      );",
  },
  'answers 410 in bulk are not guarded': {
    file: guard,
    find: 'Math.min(Math.max(removalsWithoutApproval, Math.floor((stored * removalLimitPercent) / 100)), removalLimitPeople);',
    replace: 'Number.POSITIVE_INFINITY;',
  },
  'a run counts answers 410 again after each list': {
    file: machine,
    find: "      this.#waitFor('reopenReported', event.reported);".trim(),
    replace:
      "{ this.#waitFor('reopenReported', event.reported); state.notInsured = { ...state.notInsured, removed: 0 }; }",
  },
  'the guard sees one list only': {
    file: guard,
    find: 'const inSevenDays = removals + recentRemovals;',
    replace: 'const inSevenDays = removals;',
  },
  'a decision during continue-as-new is lost': {
    file: machine,
    find: "if (!this.#isQuiet()) state.step = { name: 'draining' }; // a decision has come: the removals first",
    replace: '',
  },
  'the run continues as new while patients are synced': {
    file: machine,
    find: 'return patients.length === 0 && tasks.length === 0 && !isListingPending;',
    replace: 'return tasks.length === 0 && !isListingPending;',
  },
  'an approved removal does not wait for patients who are being held': {
    file: machine,
    find: 'if (state.patients.some(({ heldFor }) => heldFor === task.listId)) return task;',
    replace: '',
  },
  'held patients stay reported when the next list has come': {
    file: machine,
    find: "if (event.reported > 0 && step.list !== 'unusable') this.#waitFor('reopenReported', event.reported);",
    replace: '',
  },
  'a trigger during the last save is lost': {
    file: machine,
    find: "if (state.isListDue && step.finished.state !== 'cancelled') {",
    replace: 'if (step.finished.state === undefined) {',
  },
};

/** Faults in activities and stores, which the model finds on the emulator. */
export const storeMutants: Readonly<Record<string, Mutant>> = {
  'the applied ETag is kept while another list is applied': {
    file: 'core/stores/sync-runs.ts',
    find: 'const Item = { ...appliedListKey(insurerId), applying: listId };',
    replace:
      'const list = await this.readAppliedList(insurerId); const Item = { ...appliedListKey(insurerId), applying: listId, ...(list && { list }) };',
  },
  'a removal is not bound to the revision': {
    file: 'core/stores/patients.ts',
    find: 'const revision = seenRevision ?? (await readItem(patientRef))?.revision ?? 0;',
    replace: 'const revision = (await readItem(patientRef))?.revision ?? 0;',
  },
  'storeCareRecords deletes the current version if the payload is missing': {
    file: 'worker/activities/store-care-records.ts',
    find: "if (!(await patients.discardCareVersion(input.patientRef, input.fetchOrder))) return 'stored';\n    return (await readState(input)).outcome ?? 'payload-lost';",
    replace: "return 'payload-lost';",
  },
};

export const mutants: Readonly<Record<string, Mutant>> = { ...ruleMutants, ...storeMutants };

/** Applies a mutant to the source, for all later imports of this thread. @throws Error if there is no such mutant */
export function applyMutant(name: string): void {
  const mutant = mutants[name];
  if (mutant === undefined) throw new Error(`no such mutant: ${name}. Known: ${Object.keys(mutants).join('; ')}`);
  replaceInSource(name, mutant);
}
