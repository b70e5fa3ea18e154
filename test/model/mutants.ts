import { type Mutant, replaceInSource } from '../simulation/mutants.ts';

const machine = 'core/domain/daily-sync.ts';
const guard = 'core/domain/removal-guard.ts';

/** Faults in the rules of a run, which the model finds in memory. */
/** A mutant, and the histories that find it: by default large ones of seed 1. */
type FoundMutant = Mutant & { readonly seed?: number; readonly size?: 'small' };

const ruleMutants: Readonly<Record<string, FoundMutant>> = {
  'an approval is carried out while a newer list is applied': {
    seed: 2,
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
    seed: 5,
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
    seed: 2,
    file: guard,
    find: 'const inSevenDays = removals + recentRemovals;',
    replace: 'const inSevenDays = removals;',
  },
  'a decision during continue-as-new is lost': {
    seed: 3,
    file: machine,
    find: "if (!this.#isQuiet()) state.step = { name: 'draining' }; // a decision has come: the removals first",
    replace: '',
  },
  'the run continues as new while patients are synced': {
    seed: 6,
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
  'the guard does not count people': {
    file: guard,
    find: "if (inSevenDays > limits.removalLimitPeople) reasons.push('number');",
    replace: '',
  },
  'entries without a readable KVNR raise no question': {
    file: guard,
    find: "reasons.push('unreadable-entries');",
    replace: '{}',
  },
  'an approved removal waits until all fetches have ended': {
    seed: 3,
    file: machine,
    find: 'this.#startTask(\n        isApproved ?',
    replace: 'if (this.#isQuiet() || !isApproved) this.#startTask(\n        isApproved ?',
  },
  'provisional patients count in the guard': {
    file: machine,
    find: 'reasonsToAsk({ removals, stored,',
    replace: 'reasonsToAsk({ removals: removals + goneProvisional, stored,',
  },
  'a provisional patient stays when only provisional ones are gone': {
    file: machine,
    find: 'removals + goneProvisional > 0 ?',
    replace: 'removals > 0 ?',
  },
  'a list that has not changed keeps a provisional patient': {
    file: machine,
    find: "if (step.list === 'unchanged' && (event.provisional ?? 0) > 0) {",
    replace: 'if (event.provisional === -1) {',
  },
  'a trigger during the last save is lost': {
    seed: 5,
    file: machine,
    find: "if (state.isListDue && !step.isStopped) {\n      state.step = { name: 'draining' }; // a trigger has come: the run continues",
    replace:
      "if (step.finished.state === undefined) {\n      state.step = { name: 'draining' }; // a trigger has come: the run continues",
  },
};

const world = 'test/model/memory-world.ts';

/**
 * Faults in the conditions of writes. A change of master data without its revision is none: the fence stops what an older
 * list writes, and a late attempt of the same list writes the same. The world in memory makes the same writes as the real stores (docs/explanation/writes.md).
 */
const writeMutants: Readonly<Record<string, FoundMutant>> = {
  'an older list is written after a newer one has begun': {
    size: 'small',
    file: world,
    find: "if (fence !== undefined && this.#lists.applying !== fence) throw new FinalFailure('ListSuperseded');",
    replace: '',
  },
  'the applied ETag is kept while another list is applied (memory)': {
    file: world,
    find: 'world.#lists = { epoch: epoch + 1, applying };',
    replace: 'world.#lists = { ...world.#lists, epoch: epoch + 1, applying };',
  },
  'a list is completed although another one has begun': {
    file: world,
    find: '/removals`)\n',
    replace: '/removals` || applying !== undefined)\n',
  },
  'a late attempt begins an older list again': {
    file: world,
    find: 'if (world.#lists.epoch === epoch) world',
    replace: 'if (world.#lists.applying !== applying) world',
  },
  'storeCareRecords deletes the current version if the payload is missing (memory)': {
    seed: 2,
    file: world,
    find: "if (items.get(patientRef)?.careVersion === fetchOrder) return yield* finish('stored');",
    replace: '',
  },
  'care records of an earlier incarnation become current': {
    file: world,
    find: 'item.incarnation === incarnation &&',
    replace: '',
  },
  'a discarded version becomes current': {
    size: 'small',
    file: world,
    find: '!world.#discarded.has(fetchOrder) &&',
    replace: '',
  },
  'a late 404 undoes a newer state': {
    size: 'small',
    file: world,
    find: "          !item.notInsured &&\n          item.revision === seen?.revision &&\n          item.careVersion === seen.careVersion;\n        world.#update(patientRef, isSeen, { careState: 'failed' });",
    replace: "          seen !== undefined;\n        world.#update(patientRef, isSeen, { careState: 'failed' });",
  },
  'a late 410 marks a patient who has changed since': {
    size: 'small',
    file: world,
    find: 'isSyncable(other) && !other.notInsured && other.revision === revision && other.careVersion === careVersion;',
    replace: 'isSyncable(other) && !other.notInsured;',
  },
  'a removed patient leaves no tombstone': {
    seed: 5,
    file: world,
    find: "this.#update(ref, isRemoving, { state: 'tombstone', revision: revision + 1, careVersion: undefined });",
    replace: 'this.#items.delete(ref);',
  },
  'a list that was requested before removes a provisional patient': {
    file: world,
    find: 'careVersion !== undefined && careVersion < fetchOrder,',
    replace: 'careVersion !== undefined && fetchOrder !== undefined,',
  },
  'the guard counts provisional patients as stored': {
    file: world,
    find: 'const stored = known.filter(({ content }) => content !== undefined);',
    replace: 'const stored = known;',
  },
  'a list that names a provisional patient brings no master data': {
    file: world,
    find: "{ state: 'stored', content, revision: next, listed }",
    replace: "{ state: 'stored', revision: next, listed }",
  },
  'a provisional patient is asked for again when a list names them': {
    file: world,
    find: "if (now?.careState === 'failed') world.#update(patientRef, () => true, { careState: 'pending' });\n            if (now)",
    replace: "if (now) world.#update(patientRef, () => true, { careState: 'pending' });\n            if (now)",
  },
  'an inquiry stays after a 404': {
    seed: 4,
    file: 'test/model/commands.ts',
    find: "return { outcome: 'unknown', ...(seen && { revision: seen.revision }) };",
    replace: "return { outcome: 'unknown', revision: -1 };",
  },
  'a late sweep deletes the list that its run has fetched since': {
    size: 'small',
    file: world,
    find: '{ length: listCount }',
    replace: '{ length: listCount + 1 }',
  },
  'a removal is not bound to the revision (memory)': {
    file: world,
    find: 'const revision = seen ?? this.#items.get(ref)?.revision ?? 0;',
    replace: 'if (seen !== undefined) yield; const revision = this.#items.get(ref)?.revision ?? 0;',
  },
};

/**
 * Faults in activities and stores. `path` is one small history of seed 1 in which the same fault in the world in memory is
 * found: the emulator replays it.
 */
export const storeMutants: Readonly<Record<string, Mutant & { readonly path: string }>> = {
  'the applied ETag is kept while another list is applied': {
    path: '80',
    file: 'core/stores/sync-runs.ts',
    find: "REMOVE #list, refetch',\n        ConditionExpression: epoch === 0 ? 'attribute_not_exists(epoch)' : 'epoch = :epoch',\n        ExpressionAttributeNames: { '#list': 'list' },",
    replace:
      "REMOVE refetch',\n        ConditionExpression: epoch === 0 ? 'attribute_not_exists(epoch)' : 'epoch = :epoch',",
  },
  'a removal is bound neither to the revision nor to the mark': {
    path: '897',
    file: 'core/stores/patients.ts',
    find: "if (revision === undefined) return undefined;\n      const { unknownIn: unknownInNow } = answer ?? {};\n      const confirmed = unknownInNow === undefined ? 'notInsured' : 'unlisted';",
    replace:
      "revision = (await readItem(patientRef))?.revision ?? 0;\n      const { unknownIn: unknownInNow } = answer ?? {};\n      const confirmed = 'patientRef';",
  },
  'storeCareRecords deletes the current version if the payload is missing': {
    path: '306',
    file: 'worker/activities/store-care-records.ts',
    find: "if (!(await patients.discardCareVersion(input.patientRef, input.fetchOrder))) return 'stored';\n    return (await readState(input)).outcome ?? 'payload-lost';",
    replace: "return 'payload-lost';",
  },
  'a list is completed although another one has begun (stores)': {
    path: '32',
    file: 'core/stores/sync-runs.ts',
    find: "'applying = :removals AND attribute_not_exists(refetch)'",
    replace: "'(applying = :removals OR attribute_exists(applying)) AND attribute_not_exists(refetch)'",
  },
  'a late attempt begins an older list again (stores)': {
    path: '32',
    file: 'core/stores/sync-runs.ts',
    find: "'attribute_not_exists(epoch)' : 'epoch = :epoch'",
    replace: "'attribute_not_exists(epoch)' : 'epoch >= :epoch'",
  },
  'a late 404 undoes a newer state (stores)': {
    path: '323',
    file: 'core/stores/patients.ts',
    find: "UpdateExpression: 'SET careState = :failed',\n        ConditionExpression: isUnchangedSince(seen),",
    replace:
      "UpdateExpression: 'SET careState = :failed',\n        ConditionExpression: isUnchangedSince(seen).replace('AND attribute_not_exists(notInsured)', 'OR attribute_not_exists(notInsured)'),",
  },
  'a late sweep deletes the list that its run has fetched since (stores)': {
    path: '359',
    file: 'worker/activities/discard-staged.ts',
    find: '{ length: listCount }',
    replace: '{ length: listCount + 1 }',
  },
};

/** What the model finds in memory. */
export const memoryMutants: Readonly<Record<string, FoundMutant>> = { ...ruleMutants, ...writeMutants };
const mutants: Readonly<Record<string, Mutant>> = { ...memoryMutants, ...storeMutants };

/** Applies a mutant to the source, for all later imports of this thread. @throws Error if there is no such mutant */
export function applyMutant(name: string): void {
  const mutant = mutants[name];
  if (mutant === undefined) throw new Error(`no such mutant: ${name}. Known: ${Object.keys(mutants).join('; ')}`);
  replaceInSource(name, mutant);
}
