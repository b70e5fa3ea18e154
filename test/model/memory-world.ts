import type { DiffedList, ListCounts, ListedEntry, ShardLine } from '../../core/domain/diff.ts';
import type { Kvnr } from '../../core/domain/kvnr.ts';
import { zeroLineUse } from '../../core/domain/line.ts';
import type { CareState, Standing } from '../../core/domain/patient.ts';
import type { Progress } from '../../core/domain/progress.ts';
import { shardIndexesIn, shardOf, shardSetOf, shards } from '../../core/domain/shard.ts';
import { type ActivityName, type AnswerOf, FinalFailure, type InputOf, type Work } from './commands.ts';
import type { Fault } from './history.ts';
import type { Insurer } from './insurer.ts';
import { contentsOf } from './reference.ts';
import { type Stored, takeFault, type World } from './world.ts';

/** A patient in memory, with the attributes that conditions of writes look at. */
interface Item {
  readonly state: 'stored' | 'inquiry' | 'removing' | 'tombstone';
  /** undefined: no list has named the person */
  readonly content: number | undefined;
  readonly careState: CareState;
  readonly revision: number;
  readonly incarnation: number;
  readonly listed?: { readonly listId: string; readonly as: 'new' | 'changed' };
  readonly goneIn?: string | undefined;
  readonly heldFor?: string | undefined;
  readonly notInsured?: string | undefined;
  readonly careVersion?: string | undefined;
}

interface Attempt {
  /** it has been given up */
  isLate: boolean;
  /** its clock shows that it has stood still, so its write guard lets nothing more pass */
  isStale: boolean;
}
/** Yields before each store call. */
type Calls<Answer> = Generator<void, Answer>;
type Implementations = {
  readonly [Name in ActivityName]?: (input: InputOf<Name>, attempt: Attempt) => Calls<AnswerOf<Name>>;
};

/** An attempt ends, and the next one begins. */
class AttemptFailed extends Error {
  override readonly name = 'AttemptFailed';
}

const twoShards = [0, 128] as const;

/**
 * Keeps tables and bucket in memory. Its activities make the same calls, in the same order and with the same conditions, as
 * the real ones (docs/explanation/writes.md).
 */
export class MemoryWorld implements World {
  readonly insurerId = 'insurer';
  readonly runSuffix = '000000';
  readonly shardRanges = twoShards.map((fromShard) => ({ fromShard, toShard: fromShard + 128 }));
  readonly lateAttempts: (() => Promise<void>)[] = [];
  readonly hasCallsInFlight = false;
  readonly attempts = []; // all are carried out without waiting
  nextFault: Fault | undefined;
  readonly faultyLists = new Set<string>();
  readonly armed = new Map<ActivityName, Fault>();
  readonly #insurer: Insurer;
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #items = new Map<string, Item>();
  readonly #records = new Map<string, Set<string>>();
  readonly #listObjects = new Map<string, Map<string, readonly ShardLine[]>>();
  readonly #payloads = new Map<string, { readonly syncId: string; readonly patientRef: string }>();
  /** versions that may no longer become current */
  readonly #discarded = new Set<string>();
  readonly #log = new Set<string>();
  readonly #runs = new Map<string, { readonly progress: Progress; readonly revision: number }>();
  #lists: {
    readonly epoch: number;
    readonly applying?: string;
    readonly list?: { readonly listId: string; readonly etag: string };
  } = { epoch: 0 };

  constructor(insurer: Insurer) {
    this.#insurer = insurer;
    this.#activities = this.#implement();
  }

  nowMs = (): number => this.#nowMs;
  advance(ms: number): void {
    this.#nowMs += ms;
  }
  refOf = (person: number): string => `${shards[twoShards[person % 2] ?? 0]}${person.toString(16).padStart(30, '0')}`;
  personOf = (patientRef: string): number => Number.parseInt(patientRef.slice(2), 16);

  async *run<Name extends ActivityName>(name: Name, input: InputOf<Name>): Work<AnswerOf<Name>> {
    const implementation = this.#activities[name];
    if (implementation === undefined) throw new Error(`no activity ${name}`);
    for (;;) {
      const fault = takeFault(this, name);
      if (fault !== undefined && input !== undefined && 'listId' in input) this.faultyLists.add(input.listId);
      const attempt: Attempt = { isLate: false, isStale: false };
      const calls = implementation(input, attempt);
      try {
        for (let call = fault?.how === 'answer-lost' ? -1 : 0; ; call++) {
          const next = calls.next();
          if (next.done === true) return next.value;
          if (fault?.at !== call) continue;
          if (fault.how === 'stands' || fault.how === 'cut-off') this.#standsStill(attempt, calls, fault.how);
          if (fault.how !== 'waits') throw new AttemptFailed(fault.how);
          yield;
        }
      } catch (error) {
        if (!(error instanceof AttemptFailed)) throw error;
        if (input !== undefined && 'listId' in input) this.faultyLists.add(input.listId);
        yield; // until Temporal starts the next attempt
      }
    }
  }

  #standsStill(attempt: Attempt, calls: Calls<unknown>, how: 'stands' | 'cut-off'): void {
    attempt.isLate = true;
    this.lateAttempts.push(async () => {
      attempt.isStale = how === 'stands';
      try {
        while (calls.next().done !== true); // nobody receives its result
      } catch (error) {
        if (!(error instanceof AttemptFailed || error instanceof FinalFailure)) throw error;
      }
    });
  }

  async read(): Promise<Stored> {
    const stored = [...this.#items].filter(([, { state }]) => state === 'stored');
    return {
      patients: new Map(
        stored.map(([ref, { content, careState, careVersion }]) => {
          const hasRecords = careVersion !== undefined && this.#recordsOf(ref).has(careVersion);
          return [this.personOf(ref), { content: content ?? 'provisional', careState, hasRecords }];
        }),
      ),
      lists: new Set(this.#listObjects.keys()),
      payloads: new Set(Array.from(this.#payloads.values(), ({ syncId }) => syncId)),
      orphans: [...this.#records].flatMap(([ref, versions]) => {
        const current = this.#isStored(ref) ? this.#items.get(ref)?.careVersion : undefined;
        return [...versions]
          .filter((version) => version !== current)
          .map((version) => `${this.personOf(ref)} ${version}`);
      }),
    };
  }

  async readLog(): Promise<ReadonlySet<string>> {
    return this.#log;
  }

  async inquire(ref: string): Promise<Standing | undefined> {
    const item = this.#items.get(ref);
    if (item?.state === 'removing') return undefined;
    if (item?.state === 'stored') return item.content === undefined ? 'provisional' : 'listed';
    if (item?.state === 'inquiry') return 'inquiry';
    const next = (item?.revision ?? 0) + 1;
    const content = undefined;
    this.#items.set(ref, { state: 'inquiry', content, careState: 'pending', revision: next, incarnation: next });
    return 'inquiry';
  }

  #isStored = (ref: string): boolean => isSyncable(this.#items.get(ref));
  #recordsOf(ref: string): Set<string> {
    const records = this.#records.get(ref) ?? new Set<string>();
    this.#records.set(ref, records);
    return records;
  }
  #appendAccess(ref: string, id: string): void {
    this.#log.add(`${this.personOf(ref)} ${id}`);
  }
  /** Changes a patient if the condition holds. Returns the item before. */
  #update(ref: string, condition: (item: Item) => boolean, change: Partial<Item>): Item | undefined {
    const item = this.#items.get(ref);
    if (item === undefined || !condition(item)) return undefined;
    this.#items.set(ref, { ...item, ...change });
    return item;
  }
  /** @param fence of an attempt that writes a list: this part of it must be the one being written */
  *#guarded(attempt: Attempt, fence?: string): Calls<void> {
    if (attempt.isStale) throw new AttemptFailed('stood still');
    yield;
    if (fence !== undefined && this.#lists.applying !== fence) throw new FinalFailure('ListSuperseded');
  }
  #itemsOf(fromShard: number, toShard: number): [string, Item][] {
    return [...this.#items].filter(([ref]) => {
      const index = shards.indexOf(shardOf(ref));
      return index >= fromShard && index < toShard;
    });
  }

  *#remove(ref: string, seen: number | undefined, attempt: Attempt, fence?: string): Calls<void> {
    const revision = seen ?? this.#items.get(ref)?.revision ?? 0;
    const isSeen = (item: Item): boolean => item.state !== 'tombstone' && item.revision === revision;
    const isRemoving = (item: Item): boolean => item.state === 'removing' && item.revision === revision;
    yield* this.#guarded(attempt, fence);
    const before = this.#update(ref, isSeen, { state: 'removing' });
    if (before === undefined) return;
    yield;
    this.#appendAccess(ref, `removal:${before.listed?.listId ?? before.careVersion ?? ''}`);
    yield;
    const listed = [...this.#recordsOf(ref)];
    yield* this.#guarded(attempt, fence);
    if (!this.#update(ref, isRemoving, {})) return;
    yield* this.#guarded(attempt);
    for (const version of listed) this.#recordsOf(ref).delete(version);
    yield* this.#guarded(attempt, fence);
    this.#update(ref, isRemoving, { state: 'tombstone', revision: revision + 1, careVersion: undefined });
  }

  *#removeAll(isToRemove: (item: Item) => boolean, attempt: Attempt): Calls<void> {
    yield;
    for (const [ref, item] of [...this.#items])
      if (item.state !== 'tombstone' && isToRemove(item)) yield* this.#remove(ref, item.revision, attempt);
  }

  readonly #activities: Implementations;
  #implement(): Implementations {
    const world = this; // generators have no arrow functions
    const items = this.#items;
    const insurer = this.#insurer;
    return {
      readListState: function* () {
        yield;
        const { epoch, list } = world.#lists;
        return { epoch, ...(list && { applied: list }) };
      },
      beginList: function* ({ listId, epoch }) {
        yield;
        const applying = `${listId}/entries`;
        if (world.#lists.epoch === epoch) world.#lists = { epoch: epoch + 1, applying };
        else if (world.#lists.applying !== applying) throw new FinalFailure('ListSuperseded');
      },
      endEntries: function* ({ listId }) {
        yield;
        const { applying, ...rest } = world.#lists;
        if (applying === `${listId}/entries`) world.#lists = { ...rest, applying: `${listId}/removals` };
      },
      completeList: function* ({ listId, etag }) {
        yield;
        const { epoch, applying } = world.#lists;
        if (applying === `${listId}/removals`)
          world.#lists = { epoch, ...(etag !== undefined && { list: { listId, etag } }) };
      },
      saveProgress: function* ({ progress, revision }) {
        yield;
        const stored = world.#runs.get(progress.runId);
        if (stored === undefined || stored.revision <= revision)
          world.#runs.set(progress.runId, { progress, revision });
        return undefined;
      },
      countRecentRemovals: function* ({ since, exceptRunId }) {
        yield;
        return Array.from(world.#runs.values(), ({ progress }) => progress)
          .filter(({ runId, finishedAt }) => runId !== exceptRunId && (finishedAt ?? since) >= since)
          .reduce((sum, { unapprovedRemovals = 0 }) => sum + unapprovedRemovals, 0);
      },

      fetchPatientList: function* ({ listId, knownEtag }, attempt) {
        yield;
        const list = insurer.serve(listId, knownEtag, !attempt.isLate);
        if (list === undefined) return { kind: 'unchanged', lineUse: zeroLineUse };
        const fetchOrder = fetchOrderOf(insurer.answered);
        yield;
        if (!world.#listObjects.has(listId)) world.#listObjects.set(listId, new Map()); // a late attempt overwrites nothing
        const etag = list.etag === undefined ? {} : { etag: list.etag };
        const manifest = { key: listId, sizeBytes: 1, sha256: '' };
        return { kind: 'list', list: { listId, manifest, sizeBytes: 1, fetchOrder, ...etag }, lineUse: zeroLineUse };
      },
      splitPatientList: function* ({ list: { listId } }) {
        yield;
        const list = insurer.served.get(listId);
        if (list === undefined || list.isGarbage) throw new FinalFailure('ListUnusable');
        const lines = new Map<string, ShardLine[]>();
        for (const [person, contents] of contentsOf(list)) {
          const patientRef = world.refOf(person);
          const ofShard = lines.get(shardOf(patientRef)) ?? [];
          lines.set(shardOf(patientRef), ofShard);
          for (const content of contents)
            ofShard.push({ patientRef, kvnr: '' as Kvnr, body: String(content), contentHash: String(content) });
          if (contents.length === 0) ofShard.push({ patientRef, quarantined: true });
        }
        yield;
        world.#listObjects.set(listId, lines);
        const unreadable = list.entries.filter((entry) => 'unreadable' in entry).length;
        return { entries: list.entries.length, quarantined: unreadable, unreadable, shardParts: [] };
      },
      applyList: function* ({ listId, fetchOrder, fromShard, toShard }, attempt) {
        yield;
        const before = world.#itemsOf(fromShard, toShard);
        const known = before
          .filter(([, item]) => isSyncable(item))
          .map(([patientRef, item]) => ({ ...item, patientRef, contentHash: String(item.content) }));
        const stored = known.filter(({ content }) => content !== undefined);
        const unlisted = known.filter(({ content }) => content === undefined);
        const seen = new Map(before);
        yield;
        const lines = world.#listObjects.get(listId);
        if (lines === undefined) throw new AttemptFailed('no such list');
        const ofShards = [...lines].filter(([shard]) => {
          const index = shards.indexOf(shard);
          return index >= fromShard && index < toShard;
        });
        const diff = diffNow(
          ofShards.flatMap(([, shardLines]) => shardLines),
          new Map(stored.map((item) => [item.patientRef, item])),
          unlisted,
          { listId, fetchOrder },
        );
        for (const entry of diff.new) {
          const { patientRef } = entry;
          yield;
          world.#appendAccess(patientRef, `import:${listId}`);
          yield* world.#guarded(attempt, `${listId}/entries`);
          const revision = seen.get(patientRef)?.revision;
          const item = items.get(patientRef);
          const isAsSeen =
            item === undefined ? revision === undefined : !isSyncable(item) && item.revision === revision;
          const next = (revision ?? 0) + 1;
          const listed = { listId, as: 'new' } as const;
          const content = Number(entry.body);
          const fresh = {
            state: 'stored',
            content,
            careState: 'pending',
            revision: next,
            incarnation: next,
            listed,
          } as const;
          if (seen.get(patientRef)?.content === undefined && isSyncable(seen.get(patientRef))) {
            const isUnlisted = (other: Item): boolean => isSyncable(other) && other.revision === revision;
            const now = world.#update(patientRef, isUnlisted, { state: 'stored', content, revision: next, listed });
            if (now === undefined) checkOurs(items.get(patientRef), listId, content, 'must be stored');
            if (now?.careState === 'failed') world.#update(patientRef, () => true, { careState: 'pending' });
            if (now) world.#update(patientRef, () => true, { goneIn: undefined });
          } else if (isAsSeen) items.set(patientRef, fresh);
          else if (item?.listed?.listId !== listId || item.content !== content) throw new AttemptFailed('changed');
        }
        for (const entry of diff.changed) {
          const { patientRef } = entry;
          yield;
          world.#appendAccess(patientRef, `change:${listId}`);
          yield* world.#guarded(attempt, `${listId}/entries`);
          const revision = seen.get(patientRef)?.revision ?? 0;
          const content = Number(entry.body);
          const change = {
            content,
            revision: revision + 1,
            listed: { listId, as: 'changed' },
            goneIn: undefined,
          } as const;
          const isAsSeen = (item: Item): boolean => isSyncable(item) && item.revision === revision;
          const item = world.#update(patientRef, isAsSeen, change);
          if (item?.careState === 'failed') world.#update(patientRef, () => true, { careState: 'pending' });
          if (item === undefined) checkOurs(items.get(patientRef), listId, content);
        }
        const gone = new Set([...diff.gone, ...diff.goneProvisional].map(({ patientRef }) => patientRef));
        const written = new Set([...diff.new, ...diff.changed].map(({ patientRef }) => patientRef));
        for (const { patientRef, revision, goneIn } of known) {
          const mark = gone.has(patientRef) ? listId : undefined;
          if (goneIn === mark || written.has(patientRef)) continue;
          yield* world.#guarded(attempt, `${listId}/entries`);
          const isAsSeen = (item: Item): boolean => item.state === 'stored' && item.revision === revision;
          if (world.#update(patientRef, isAsSeen, { goneIn: mark, revision: revision + 1 })) continue;
          const item = items.get(patientRef);
          if (item?.state === 'stored' && item.goneIn !== mark) throw new AttemptFailed('changed');
        }
        return diff.counts;
      },
      removeGone: function* ({ listId, fromShard, toShard }, attempt) {
        yield;
        const gone = world.#itemsOf(fromShard, toShard).filter(([, { goneIn }]) => goneIn === listId);
        for (const [ref, { state, revision }] of gone)
          if (state !== 'tombstone') yield* world.#remove(ref, revision, attempt, `${listId}/removals`);
        return { removed: gone.length };
      },
      deleteList: function* ({ listId }) {
        yield;
        world.#listObjects.delete(listId);
      },

      countPatients: function* () {
        yield;
        const all = [...items.values()];
        const stored = all.filter(({ state, content }) => state === 'stored' && content !== undefined);
        const pending = [...items].filter(([, item]) => item.state === 'stored' && item.careState === 'pending');
        return {
          stored: stored.length,
          provisional: all.filter(({ state, content }) => state === 'stored' && content === undefined).length,
          pending: pending.length,
          pendingShards: shardSetOf(pending.map(([ref]) => shardOf(ref))),
          reported: stored.filter(({ careState }) => careState === 'reported-not-insured').length,
          removing: all.filter(({ state }) => state === 'removing').length,
        };
      },
      finishRemovals: function* (_, attempt) {
        yield* world.#removeAll(({ state }) => state === 'removing', attempt);
      },
      removeHeld: function* ({ heldFor }, attempt) {
        yield* world.#removeAll((item) => item.heldFor === heldFor, attempt);
      },
      reopenReported: function* ({ nextQuestion }, attempt) {
        for (const ref of [...items.keys()]) {
          yield;
          const item = items.get(ref);
          if (item?.careState !== 'reported-not-insured' || item.content === undefined) continue;
          yield* world.#guarded(attempt);
          const isSeen = ({ state, careState, revision, heldFor }: Item): boolean =>
            state === 'stored' &&
            careState === 'reported-not-insured' &&
            revision === item.revision &&
            heldFor !== nextQuestion;
          const revision = item.revision + 1;
          world.#update(ref, isSeen, { careState: 'pending', revision, notInsured: undefined, heldFor: undefined });
        }
      },
      listPending: function* ({ shardIndex, after, limit, pendingShards }) {
        yield;
        const from = after ?? shards[shardIndex] ?? '';
        const indexes = pendingShards === undefined ? undefined : shardIndexesIn(pendingShards);
        const pending = [...items]
          .filter(([ref]) => indexes?.has(shards.indexOf(shardOf(ref))) ?? true)
          .filter(([ref, { state, careState }]) => state === 'stored' && careState === 'pending' && ref > from)
          .map(([ref]) => ref)
          .sort();
        const patientRefs = pending.slice(0, limit);
        const last = patientRefs.at(-1);
        if (last === undefined || patientRefs.length < limit) return { patientRefs };
        return { patientRefs, next: { shardIndex: shards.indexOf(shardOf(last)), after: last } };
      },
      holdPatient: function* ({ patientRef, revision, heldFor }) {
        yield;
        const isReported = (item: Item): boolean =>
          item.state === 'stored' &&
          item.careState === 'reported-not-insured' &&
          item.revision === (revision ?? item.revision);
        world.#update(patientRef, isReported, { heldFor });
      },
      removePatient: function* ({ patientRef, revision }, attempt) {
        yield* world.#remove(patientRef, revision, attempt);
      },

      fetchCareRecords: function* ({ patientRef, syncId }) {
        yield;
        const item = items.get(patientRef);
        if (item?.state === 'removing' && item.notInsured)
          throw new FinalFailure('PatientNotInsured', { revision: item.revision });
        if (item === undefined || !isSyncable(item)) throw new FinalFailure('PatientGone');
        const { revision, careVersion, careState } = item;
        const failAsNotInsured = (): never => {
          const isSeen = (other: Item): boolean =>
            isSyncable(other) && !other.notInsured && other.revision === revision && other.careVersion === careVersion;
          world.#update(patientRef, isSeen, { notInsured: syncId, careState: 'reported-not-insured' });
          const now = items.get(patientRef);
          const reportedBy = now?.state !== 'tombstone' && now?.revision === revision ? now.notInsured : undefined;
          if (reportedBy === undefined) throw new FinalFailure(isSyncable(now) ? 'PatientChanged' : 'PatientGone');
          if (syncId.startsWith('sync-') && reportedBy !== syncId && item.content !== undefined)
            throw new FinalFailure('PatientReported');
          throw new FinalFailure(item.content === undefined ? 'PersonNotInsured' : 'PatientNotInsured', seen);
        };
        const seen = { revision, ...(careVersion !== undefined && { careVersion }) };
        yield;
        if (careState === 'reported-not-insured') failAsNotInsured();
        const { answer, number } = insurer.answerAbout(world.personOf(patientRef));
        if (answer === 'fails') throw new FinalFailure('RequestsExhausted');
        const isUnlisted = item.content === undefined;
        if (answer === 'unknown') throw new FinalFailure(isUnlisted ? 'PersonUnknown' : 'PatientUnknown', seen);
        const fetchOrder = fetchOrderOf(number);
        yield;
        if (answer === 'not-insured') failAsNotInsured();
        world.#payloads.set(fetchOrder, { syncId, patientRef });
        const payload = { key: fetchOrder, sizeBytes: 1, sha256: '' };
        return { payload, fetchOrder, seen, lineUse: zeroLineUse };
      },
      storeCareRecords: function* ({ patientRef, payload, fetchOrder }, attempt) {
        const finish = function* (outcome: 'stored' | 'superseded' | 'gone'): Calls<{ outcome: typeof outcome }> {
          yield;
          const records = world.#recordsOf(patientRef);
          if (outcome !== 'stored') records.delete(fetchOrder);
          else {
            world.#appendAccess(patientRef, `care-records:${fetchOrder}`);
            yield;
            for (const version of records) if (version < fetchOrder) records.delete(version);
          }
          yield;
          world.#payloads.delete(payload.key);
          return { outcome };
        };
        yield;
        const before = items.get(patientRef);
        if (before === undefined || !isSyncable(before)) return yield* finish('gone');
        const { careVersion = '', incarnation } = before;
        if (careVersion >= fetchOrder) return yield* finish(careVersion === fetchOrder ? 'stored' : 'superseded');
        yield;
        if (!world.#payloads.has(payload.key)) {
          if (items.get(patientRef)?.careVersion === fetchOrder) return yield* finish('stored');
          world.#discarded.add(fetchOrder);
          return yield* finish(world.#isStored(patientRef) ? 'superseded' : 'gone');
        }
        yield* world.#guarded(attempt);
        world.#recordsOf(patientRef).add(fetchOrder);
        yield* world.#guarded(attempt);
        const mayBecomeCurrent = (item: Item): boolean =>
          isSyncable(item) &&
          item.incarnation === incarnation &&
          !item.notInsured &&
          !world.#discarded.has(fetchOrder) &&
          (item.careVersion ?? '') <= fetchOrder;
        const current = { state: 'stored', careVersion: fetchOrder, careState: 'current' } as const;
        const { content, revision = 0, careVersion: version } = items.get(patientRef) ?? {};
        const isRenewed = content === undefined && version !== fetchOrder;
        const renewed = isRenewed && { goneIn: undefined, revision: revision + 1 };
        if (world.#update(patientRef, mayBecomeCurrent, { ...current, ...renewed })) return yield* finish('stored');
        yield;
        return yield* finish(world.#isStored(patientRef) ? 'superseded' : 'gone');
      },
      discardStaged: function* ({ patientRef, syncId, fetchOrder }) {
        yield;
        for (const [key, payload] of world.#payloads)
          if (payload.syncId === syncId && payload.patientRef === patientRef) world.#payloads.delete(key);
        if (fetchOrder === undefined) return;
        yield;
        if (items.get(patientRef)?.careVersion === fetchOrder && world.#isStored(patientRef))
          world.#appendAccess(patientRef, `care-records:${fetchOrder}`);
        else {
          world.#discarded.add(fetchOrder);
          world.#recordsOf(patientRef).delete(fetchOrder);
        }
      },
      markCareFailed: function* ({ patientRef, seen }) {
        yield;
        const isSeen = (item: Item): boolean =>
          isSyncable(item) &&
          !item.notInsured &&
          item.revision === seen?.revision &&
          item.careVersion === seen.careVersion;
        world.#update(patientRef, isSeen, { careState: 'failed' });
      },
      sweepRun: function* ({ runId, listCount }, attempt) {
        const listIds = Array.from({ length: listCount }, (_, index) => `${runId}-${index + 1}`);
        yield;
        const { applying, ...rest } = world.#lists;
        if (listIds.some((listId) => applying?.startsWith(`${listId}/`))) world.#lists = rest;
        yield* world.#guarded(attempt);
        for (const [key, { syncId }] of world.#payloads) if (syncId === runId) world.#payloads.delete(key);
        for (const listId of listIds) {
          yield* world.#guarded(attempt);
          world.#listObjects.delete(listId);
        }
      },
    };
  }
}

const fetchOrderOf = (number: number): string => String(number).padStart(9, '0');

type StoredItem = Item & { readonly patientRef: string; readonly contentHash: string };

/** Compares lines with stored patients, as `diffShard` does. */
function diffNow(
  lines: readonly ShardLine[],
  stored: ReadonlyMap<string, StoredItem>,
  unlisted: readonly StoredItem[],
  { listId, fetchOrder = '' }: DiffedList,
) {
  const entries = new Map<string, ListedEntry>();
  const present = new Set(lines.map(({ patientRef }) => patientRef));
  for (const line of lines) {
    if ('quarantined' in line) continue;
    const other = entries.get(line.patientRef);
    const storedHash = stored.get(line.patientRef)?.contentHash;
    const isBetter =
      other?.contentHash !== storedHash &&
      (line.contentHash === storedHash || line.contentHash < (other?.contentHash ?? ''));
    if (other === undefined || isBetter) entries.set(line.patientRef, line);
  }
  const diff = { new: [] as ListedEntry[], changed: [] as ListedEntry[] };
  const before = { new: 0, changed: 0, unchanged: 0 };
  for (const entry of entries.values()) {
    const known = stored.get(entry.patientRef);
    if (known === undefined) diff.new.push(entry);
    else if (known.contentHash !== entry.contentHash) diff.changed.push(entry);
    else before[known.listed?.listId === listId ? known.listed.as : 'unchanged'] += 1;
  }
  const gone = [...stored.values()].filter(({ patientRef }) => !present.has(patientRef));
  const goneProvisional = unlisted.filter(
    ({ patientRef, careVersion }) => !present.has(patientRef) && careVersion !== undefined && careVersion < fetchOrder,
  );
  const counts: ListCounts = {
    listed: entries.size,
    new: diff.new.length + before.new,
    changed: diff.changed.length + before.changed,
    unchanged: before.unchanged,
    gone: gone.length,
    stored: stored.size - before.new,
    goneProvisional: goneProvisional.length,
  };
  return { ...diff, gone, goneProvisional, counts };
}

const isSyncable = (item: Item | undefined): boolean => item?.state === 'stored' || item?.state === 'inquiry';

/** @throws AttemptFailed unless this list has stored the content, or nobody is stored and nobody must be */
function checkOurs(item: Item | undefined, listId: string, content: number, mustBe?: 'must be stored'): void {
  const isOurs = item?.listed?.listId === listId && item.content === content;
  if ((mustBe !== undefined || isSyncable(item)) && !isOurs) throw new AttemptFailed('changed');
}
