import {
  type Command,
  carriedOver,
  type DailySync,
  decisionFault,
  openQuestion,
  startDailySync,
  transition,
} from '../../core/domain/daily-sync.ts';
import type { Standing } from '../../core/domain/patient.ts';
import { newRunId } from '../../core/domain/run-id.ts';
import {
  type ActivityName,
  type ActivityRunner,
  type AnswerOf,
  Cancelled,
  carryOut,
  type InputOf,
  type NewEvent,
  type PatientSynced,
  syncPatient,
  type Work,
} from './commands.ts';
import type { Fault, History, Step } from './history.ts';
import type { Insurer } from './insurer.ts';
import { contentsOf, Reference } from './reference.ts';
import type { Content, StoredPerson, World } from './world.ts';

/** A guarantee that a history has broken. The message has the steps that led to it. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** Something in progress, which is carried out in parts. */
interface InProgress {
  readonly name: string;
  readonly command?: Command;
  readonly work: Work<unknown>;
  /** Takes the answer. */
  readonly end: (answer: never) => void;
  hasBegun: boolean;
  /** its scope was cancelled: what it does since is not */
  isCancelled?: boolean;
}

/** A run in progress. */
interface ActiveRun {
  readonly runId: string;
  state: DailySync;
  open: InProgress[];
  isCancelled: boolean;
  hasStopped: boolean;
  /** a list is due, or is being fetched and applied: decisions about older ones must not count */
  isListDue: boolean;
  isListing: boolean;
  /** 410 answers carried out since the run began or an operator approved */
  removedAfter410: number;
  /** all removals of this run without an approval */
  unapproved: number;
  /** how the last sync of each patient has ended */
  readonly outcomes: Map<number, string>;
  /** whose records were there before the last list has named them */
  readonly provided: Set<number>;
  hadLateAttempts: boolean;
}

interface OnDemand {
  readonly person: number;
  /** what was known of the person when the sync was requested; absent before */
  standing?: Standing | undefined;
  /** a list, or the run's own sync of this person, was in progress at the same time */
  overlaps: boolean;
}

const day = 24 * 60 * 60_000;
const removalLimitPercent = 5;
/** More work than any history needs: what goes on longer goes on forever. */
const workMax = 20_000;
/** More time than any history needs: what takes longer waits for something that never comes. */
const historyMaxMs = 30_000;

/** Runs a history in a world, and compares what is stored with the reference model at each quiet point. @throws Broken */
export async function runHistory(history: History, insurer: Insurer, world: World): Promise<HistoryResult> {
  const driver = new Driver(history, insurer, world);
  const tooLate = Promise.withResolvers<never>();
  const limit = setTimeout(() => tooLate.reject(new Broken(driver.standstill)), historyMaxMs);
  const takeAll = async (): Promise<HistoryResult> => {
    for (const step of history.steps) await driver.take(step);
    await driver.converge();
    return driver.result;
  };
  try {
    return await Promise.race([takeAll(), tooLate.promise]);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new Broken(`${error.message}\n${driver.trace}`);
  } finally {
    clearTimeout(limit);
  }
}

export interface HistoryResult {
  quietPoints: number;
  events: number;
  lateAttempts: number;
}

class Driver {
  readonly #trace: unknown[] = [];

  /** The last steps and events. */
  get trace(): string {
    const texts = this.#trace
      .slice(-150)
      .map((line) => (typeof line === 'string' ? line : `  ${JSON.stringify(line)}`));
    return texts.join('\n');
  }

  /** What a history waits for that takes too long. */
  get standstill(): string {
    const names = this.#allInProgress().map(({ name }) => name);
    const { attempts } = this.#world;
    return `the history stands still. In progress: ${names.join(', ')}. Attempts: ${attempts.join('; ')}`;
  }
  readonly result: HistoryResult = { quietPoints: 0, events: 0, lateAttempts: 0 };
  readonly #history: History;
  readonly #insurer: Insurer;
  readonly #world: World;
  readonly #reference = new Reference();
  #run: ActiveRun | undefined;
  #lastRun: ActiveRun | undefined;
  readonly #onDemand = new Set<OnDemand & InProgress>();
  /** unapproved removals of finished runs */
  readonly #ledger: { readonly endedAtMs: number; readonly removed: number }[] = [];
  /** what cancelled runs have begun to store, or to remove (undefined): a late attempt may still do so until the next list begins */
  readonly #unfinished = new Map<number, readonly (number | undefined)[]>();
  /** the people whom cancelled runs have begun to remove after answers 410: a late attempt may still do so until they are pending */
  readonly #unfinishedHeld = new Set<number>();
  /** the number of the answer whose records became current last, by person */
  readonly #storedAnswers = new Map<number, number>();
  /** the number of the answer that was the last applied list */
  #lastApplied = 0;
  /** lists that were cancelled while they were applied */
  readonly #cancelledLists = new Set<string>();
  readonly #runner: ActivityRunner;
  /** IDs of all questions so far */
  readonly #asked: string[] = [];
  readonly #answered404 = new Set<number>();
  /** removals and people whose entries the access log has */
  readonly #logged = new Set<string>();
  #runs = 0;
  #syncs = 0;
  /** something was done since the last comparison */
  #hasChanged = true;
  /** a late attempt has gone on: it may have left objects */
  #hasLeftovers = false;

  constructor(history: History, insurer: Insurer, world: World) {
    this.#history = history;
    this.#insurer = insurer;
    this.#world = world;
    this.#runner = {
      insurerId: world.insurerId,
      shardRanges: world.shardRanges,
      run: (name, input) => this.#runActivity(name, input),
    };
  }

  /** Runs an activity. Takes note of the answer whose records have become current. */
  async *#runActivity<Name extends ActivityName>(name: Name, input: InputOf<Name>): Work<AnswerOf<Name>> {
    const answer = yield* this.#world.run(name, input);
    if (name === 'storeCareRecords' && (answer as AnswerOf<'storeCareRecords'>).outcome === 'stored') {
      const { patientRef, fetchOrder } = input as InputOf<'storeCareRecords'>;
      const person = this.#world.personOf(patientRef);
      const number = Number(fetchOrder.slice(-9));
      this.#storedAnswers.set(person, Math.max(number, this.#storedAnswers.get(person) ?? 0));
    }
    return answer;
  }

  async take(step: Step): Promise<void> {
    this.#trace.push(step);
    switch (step.do) {
      case 'work':
        for (const { pick, fault } of step.picks) await this.#work(pick, fault);
        return await this.#checkIfQuiet();
      case 'advance':
        for (let part = 0; part < step.parts; part++) await this.#work(0);
        return await this.#checkIfQuiet();
      case 'until':
        for (let part = 0; part < 500; part++) {
          if (this.#run === undefined || this.#run.open.some(({ name }) => name === step.command)) break;
          await this.#work(0);
        }
        return await this.#checkIfQuiet();
      case 'arm':
        this.#world.armed.set(step.activity, step.fault);
        return;
      case 'rest':
        return await this.#rest();
      case 'goOn':
        return await this.#goOn(step.pick);
      case 'day':
        this.#world.advance(step.days * day);
        this.#insurer.change(step.change, step.hasEtag);
        this.#trigger();
        return;
      case 'trigger':
        this.#trigger();
        return;
      case 'decide':
        for (let time = 0; time < (step.isTwice ? 2 : 1); time++) this.#decide(step.decision, step.about);
        return;
      case 'cancel':
        this.#cancel();
        return;
      case 'continueAsNew':
        if (this.#run && !this.#run.isCancelled) this.#tell(this.#run, { on: 'continueAsNewSuggested' });
        return;
      case 'answer':
        this.#insurer.setAnswer(step.answer, step.person);
        return;
      case 'syncOnDemand':
        this.#syncOnDemand(step.person);
        return;
    }
  }

  /** Lets everything end. Afterwards a run without faults must make the tables what the list says. */
  async converge(): Promise<void> {
    this.#world.armed.clear();
    await this.#rest();
    while (this.#world.lateAttempts.length > 0) await this.#goOn(0);
    this.#insurer.setAnswer('ok');
    this.#insurer.change({ kind: 'duplicate', at: 0, count: 0 }, false); // the last list that was usable, without an ETag
    for (let round = 0; round < 3; round++) {
      this.#trace.push(`converge ${round}`);
      this.#world.advance(8 * day);
      this.#trigger();
      await this.#rest();
      for (let decisions = 0; this.#run && decisions < 3; decisions++) {
        this.#decide('approve', 'open');
        await this.#rest();
      }
    }
    if (this.#run) this.#break(`the run waits forever: ${this.#run.state.step.name}`);
    const { patients, lists, payloads, orphans } = await this.#world.read();
    const listed = contentsOf(this.#insurer.list);
    for (const [person, contents] of listed) {
      const stored = patients.get(person);
      const [content] = contents;
      if (content !== undefined && stored === undefined)
        this.#break(`person ${person} is on the list, and is not stored`);
      if (content !== undefined && stored && (stored.content === 'provisional' || !contents.includes(stored.content)))
        this.#break(`person ${person} has content ${stored.content}, and the list says ${contents.join()}`);
    }
    for (const [person, { content, careState }] of patients) {
      if (!listed.has(person)) this.#break(`person ${person} is stored, and is not on the list`);
      if (content === 'provisional' && careState === 'reported-not-insured' && this.#hasLeftovers) continue;
      if (careState !== 'current' && !(careState === 'failed' && this.#answered404.has(person)))
        this.#break(`person ${person} stays ${careState}`);
    }
    await this.#checkLog(patients);
    await this.#checkLogForMore();
    if (this.#hasLeftovers) return;
    if (orphans.length > 0) this.#break(`left without a patient: ${orphans.join()}`);
    if (lists.size + payloads.size > 0) this.#break(`objects are left: ${[...lists, ...payloads].join()}`);
  }

  #break(what: string): never {
    throw new Broken(what);
  }

  #trigger(): void {
    const run = this.#run;
    if (run !== undefined) {
      run.isListDue = true;
      this.#tell(run, { on: 'triggered' });
      return;
    }
    this.#runs += 1;
    this.#world.advance(1_000);
    const runId = newRunId(this.#world.nowMs(), `${this.#world.runSuffix}${this.#runs.toString(16).padStart(2, '0')}`);
    const { syncWindow, removalLimitPeople } = this.#history;
    const limits = { syncWindow, removalLimitPeople, removalLimitPercent };
    const started: ActiveRun = {
      runId,
      state: startDailySync(runId, limits, this.#world.nowMs()),
      open: [],
      isCancelled: false,
      hasStopped: false,
      isListDue: true,
      isListing: false,
      removedAfter410: 0,
      unapproved: 0,
      outcomes: new Map(),
      provided: new Set(),
      hadLateAttempts: false,
    };
    this.#run = started;
    this.#tell(started, { on: 'started' });
  }

  /** Tells the run an event, and starts the commands. */
  #tell(run: ActiveRun, event: NewEvent): void {
    if (run !== this.#run) return;
    this.result.events += 1;
    this.#world.advance(1);
    const before = run.state;
    if (!event.on.startsWith('save')) this.#trace.push(event);
    const { state, commands } = transition(before, { ...event, atMs: this.#world.nowMs() } as never);
    run.state = state;
    this.#observeEvent(run, before, event);
    for (const command of commands) {
      this.#observeCommand(run, command);
      run.open.push({
        name: command.do,
        command,
        work: carryOut(command, this.#runner, run.runId, this.#world.nowMs),
        end: (ended: NewEvent) => this.#tell(run, ended),
        hasBegun: false,
      });
    }
    if (run.state.step.name === 'continuing' && run.state.step.isSaved) this.#continueAsNew(run);
    if (run.state.step.name === 'done') this.#end(run);
  }

  #continueAsNew(run: ActiveRun): void {
    this.#trace.push('  continue as new');
    run.state = JSON.parse(JSON.stringify(carriedOver(run.state))) as DailySync;
    run.open = []; // the execution has ended, and with it all that it waited for
    this.#tell(run, { on: 'started' });
  }

  #end(run: ActiveRun): void {
    this.#trace.push(`  run ended: ${run.state.run.state}`);
    if (run.isListDue && !run.isCancelled) this.#break('a trigger was lost: the run ends without the list that is due');
    this.#run = undefined;
    this.#lastRun = run;
    this.#ledger.push({ endedAtMs: run.state.run.finishedAtMs ?? this.#world.nowMs(), removed: run.unapproved });
  }

  #observeEvent(run: ActiveRun, before: DailySync, event: NewEvent): void {
    const { listQuestion, heldQuestion } = run.state;
    for (const question of [listQuestion, heldQuestion])
      if (question && !this.#asked.includes(question.listId)) this.#asked.push(question.listId);
    switch (event.on) {
      case 'applied': {
        if (before.step.name !== 'applying') return;
        const { listId } = before.step.list;
        const list = this.#insurer.served.get(listId);
        if (list === undefined) return;
        run.isListing = false;
        const asks = listQuestion?.listId === listId;
        const storedBefore = this.#reference.listed;
        const isCertain = this.#reference.uncertain.size === 0 && this.#onDemand.size === 0 && !this.#hasLeftovers;
        run.provided.clear();
        for (const person of this.#reference.provisional.keys())
          if (isCertain && contentsOf(list).get(person)?.length) run.provided.add(person);
        const gone = this.#reference.accept(listId, list, asks, this.#insurer.servedAs.get(listId) ?? 0);
        if (asks && listQuestion.removals === 0) this.#break('a question about nobody who is listed');
        if (isCertain && event.counts.stored !== storedBefore)
          this.#break(`the guard counts ${event.counts.stored} people, of whom ${storedBefore} are listed`);
        this.#lastApplied = this.#insurer.servedAs.get(listId) ?? 0;
        for (const { person } of this.#onDemand) // it may have removed the person before the list or after it
          for (const as of ['import', 'change']) this.#reference.written.add(`${person} ${as}:${listId}`);
        if (asks || gone.length === 0) return;
        this.#checkGuard(run, gone.length, storedBefore, event.counts.stored);
        const unreadable = list.entries.filter((entry) => 'unreadable' in entry).length;
        if (unreadable > 20 && unreadable * 100 > list.entries.length * removalLimitPercent)
          this.#break(`removals without a question, although ${unreadable} entries may be anybody's`);
        return;
      }
      case 'counted': {
        const [person] = this.#reference.provisional.keys();
        const isUnchanged = before.step.name === 'counting' && before.step.list === 'unchanged';
        const isCertain = this.#reference.uncertain.size === 0 && this.#onDemand.size === 0;
        if (isUnchanged && person !== undefined && isCertain && run.state.step.name !== 'listing')
          this.#break(`person ${person} is provisional, and the run goes on without the whole list`);
        return;
      }
      case 'begun':
        if (!this.#world.hasCallsInFlight) this.#unfinished.clear();
        return;
      case 'reopened':
        run.provided.clear(); // the insurer has answered 410 about some of them since
        this.#unfinishedHeld.clear();
        return;
      case 'listUnchanged': {
        run.isListing = false;
        this.#reference.questions.clear();
        const listed = contentsOf(this.#insurer.list);
        const { tables, uncertain } = this.#reference;
        for (const [person, content] of tables)
          if (content !== 'provisional' && !listed.has(person) && !uncertain.has(person))
            this.#break(`the run took a list as unchanged, but person ${person} is not on it`);
        for (const [person, contents] of listed) {
          const content = tables.get(person);
          if (content === undefined || content === 'provisional' || contents.length === 0) continue;
          if (!contents.includes(content) && !uncertain.has(person))
            this.#break(`the run took a list as unchanged, but it says something else about person ${person}`);
        }
        return;
      }
      case 'patientEnded':
        run.outcomes.set(this.#world.personOf(event.patientRef), event.outcome);
        if (event.outcome === 'permanently-failed') this.#answered404.add(this.#world.personOf(event.patientRef));
        return;
      default:
        return;
    }
  }

  /** The guards, computed again: what is removed without a question must be within the limits. */
  #checkGuard(run: ActiveRun, removals: number, storedBefore: number, stored: number): void {
    const since = this.#world.nowMs() - 7 * day;
    const recent = this.#ledger
      .filter(({ endedAtMs }) => endedAtMs >= since)
      .reduce((sum, { removed }) => sum + removed, 0);
    const inSevenDays = removals + recent + run.unapproved;
    run.unapproved += removals;
    const whole = Math.max(storedBefore, stored) + recent + run.unapproved;
    if (
      inSevenDays > Math.max(20, (whole * removalLimitPercent) / 100) ||
      inSevenDays > this.#history.removalLimitPeople
    )
      this.#break(`${inSevenDays} people removed in seven days without a question`);
  }

  #observeCommand(run: ActiveRun, command: Command): void {
    const reference = this.#reference;
    switch (command.do) {
      case 'fetchList':
        run.isListDue = run.state.isListDue;
        run.isListing = true;
        return;
      case 'countPatients':
        run.isListing = false;
        return;
      case 'removeGone':
        if (run.isListing) this.#break('the removals of a list are carried out while a newer one is applied');
        return;
      case 'syncPatient': {
        const person = this.#world.personOf(command.patientRef);
        if (run.provided.has(person)) this.#break(`person ${person} is asked for, although the records were there`);
        return;
      }
      case 'removePatient': {
        run.removedAfter410 += 1;
        run.unapproved += 1;
        if (run.removedAfter410 > Math.max(20, (run.state.stored * removalLimitPercent) / 100))
          this.#break(`${run.removedAfter410} people removed after answers 410 without a question`);
        this.#removeAfter410(this.#world.personOf(command.patientRef));
        return;
      }
      case 'holdPatient':
        reference.hold(this.#world.personOf(command.patientRef), command.heldFor);
        return;
      default:
        return;
    }
  }

  #removeAfter410(person: number): void {
    for (const sync of this.#onDemand) if (sync.person === person) sync.overlaps = true;
    this.#reference.remove(person);
  }

  #decide(decision: 'approve' | 'reject', about: 'open' | 'older' | 'unknown' | 'unnamed'): void {
    const run = this.#run;
    if (run === undefined) return;
    const { listQuestion, heldQuestion } = run.state;
    const latest = openQuestion(run.state)?.listId ?? listQuestion?.listId ?? heldQuestion?.listId;
    const listId = {
      open: latest ?? this.#asked.at(-1),
      older: this.#asked.at(-2),
      unknown: `${run.runId}-99`,
      unnamed: undefined,
    }[about];
    const made = { decision, ...(listId !== undefined && { listId }) };
    const fault = decisionFault(run.state, made);
    const decided = listId ?? openQuestion(run.state)?.listId ?? '';
    this.#trace.push(`  ${decision} ${decided}: ${fault ?? 'accepted'}`);
    if (fault !== undefined) return;
    if (run.isListDue || run.isListing)
      this.#break(`a decision about ${decided} was accepted while a newer list is due`);
    if (!this.#reference.questions.has(decided))
      this.#break(`a decision about ${decided} was accepted, which is not asked`);
    if (decision === 'approve' && decided.includes('not-insured')) run.removedAfter410 = 0;
    for (const sync of this.#onDemand)
      if (this.#reference.questions.get(decided)?.has(sync.person)) sync.overlaps = true;
    this.#reference.decide(decided, decision);
    this.#tell(run, { on: 'decided', decision, listId: decided, by: 'olga' });
    const isCarriedOut = run.open.some(({ command }) => command?.do === 'removeGone' && command.listId === decided);
    if (decision === 'approve' && !decided.includes('not-insured') && !isCarriedOut)
      this.#break(`an approved removal waits: ${decided}`);
  }

  #cancel(): void {
    const run = this.#run;
    if (run === undefined || run.isCancelled) return;
    run.isCancelled = true;
    this.#observeCancelled(run);
    this.#tell(run, { on: 'cancelRequested', by: 'olga', reason: 'a test' });
    this.#tell(run, { on: 'stopping', as: 'cancelled' });
    this.#stopIfIdle();
  }

  /** Takes note of what a cancelled run may have done, and may have left undone. */
  #observeCancelled(run: ActiveRun): void {
    const reference = this.#reference;
    const { step, tasks } = run.state;
    if (step.name === 'applying') {
      const { listId } = step.list;
      this.#cancelledLists.add(listId);
      for (const [person, contents] of contentsOf(this.#insurer.served.get(listId) ?? { entries: [] })) {
        reference.mayBe(person, ...contents);
        this.#leaveUnfinished(person, contents);
      }
    }
    for (const task of tasks) {
      if (task.do !== 'removeGone' && task.do !== 'removeHeld') continue;
      const people = reference.cancelRemovals(task.listId);
      for (const person of people)
        if (task.do === 'removeHeld') this.#unfinishedHeld.add(person);
        else this.#leaveUnfinished(person, [undefined]);
    }
  }

  #leaveUnfinished(person: number, contents: readonly (number | undefined)[]): void {
    this.#unfinished.set(person, [...(this.#unfinished.get(person) ?? []), ...contents]);
  }

  #syncOnDemand(given: number): void {
    const person = given % this.#insurer.people;
    if ([...this.#onDemand].some((sync) => sync.person === person)) return; // it joins
    this.#syncs += 1;
    const world = this.#world;
    const runner = this.#runner;
    const patientRef = world.refOf(person);
    const syncId = `sync-${world.runSuffix}-${this.#syncs}`;
    const carryOutSync = async function* (): Work<PatientSynced> {
      yield;
      sync.standing = await world.inquire(patientRef);
      if (sync.standing === undefined) return { outcome: 'gone' }; // the API refuses the request
      const synced = yield* syncPatient(runner, patientRef, syncId, 'person');
      if (synced.outcome === 'not-insured' || synced.outcome === 'unknown')
        yield* runner.run('removePatient', {
          patientRef,
          ...(synced.revision !== undefined && { revision: synced.revision }),
          ...(synced.outcome === 'unknown' && { unknownIn: syncId }),
        });
      return synced;
    };
    const sync: OnDemand & InProgress = {
      name: `syncOnDemand ${person}`,
      person,
      overlaps: false,
      work: carryOutSync(),
      hasBegun: false,
      end: ({ outcome }: PatientSynced) => this.#endOnDemand(sync, outcome),
    };
    this.#onDemand.add(sync);
  }

  #endOnDemand(sync: OnDemand & InProgress, outcome: string): void {
    this.#trace.push(`  on demand, person ${sync.person}: ${outcome}${sync.overlaps ? ', overlaps' : ''}`);
    this.#onDemand.delete(sync);
    const { person } = sync;
    const reference = this.#reference;
    if (outcome === 'permanently-failed') this.#answered404.add(person);
    this.#run?.outcomes.set(person, `on demand: ${outcome}`);
    this.#lastRun?.outcomes.set(person, `on demand: ${outcome}`);
    const isRemoved = outcome === 'not-insured' || outcome === 'unknown';
    if (isRemoved && !sync.overlaps) reference.remove(person);
    else if (isRemoved) reference.mayBe(person, undefined);
    if (outcome === 'done') this.#provide(sync);
    if (outcome !== 'done' || sync.overlaps) return;
    for (const [question, people] of reference.questions) if (question.includes('not-insured')) people.delete(person);
  }

  /** Takes note of the records that a sync has stored. They make a provisional patient of somebody who is not stored. */
  #provide({ person, overlaps, standing }: OnDemand): void {
    const { tables, uncertain, provisional } = this.#reference;
    const answer = this.#storedAnswers.get(person) ?? 0;
    const before = uncertain.get(person);
    if (before !== undefined) {
      if (overlaps) this.#reference.mayBe(person, 'provisional');
      else uncertain.set(person, new Set([...before].map((content) => content ?? 'provisional')));
      return;
    }
    if (standing === 'listed' || (tables.has(person) && !provisional.has(person))) return;
    this.#reference.provide(person, { answer, isSettled: !overlaps });
    if (overlaps && answer < this.#lastApplied) this.#reference.mayBe(person, undefined); // that list may have removed them
  }

  #allInProgress(): InProgress[] {
    return [...(this.#run?.open ?? []), ...this.#onDemand];
  }

  async #work(pick: number, fault?: Fault): Promise<void> {
    const all = this.#allInProgress();
    const chosen = all[pick % Math.max(1, all.length)];
    if (chosen !== undefined) await this.#advance(chosen, fault);
  }

  /** Carries out a part of something in progress. */
  async #advance(chosen: InProgress, fault?: Fault): Promise<void> {
    const run = this.#run;
    this.#noteOverlaps();
    this.#hasChanged = true;
    const isOfRun = run?.open.includes(chosen) ?? false;
    this.#world.nextFault = fault;
    let next: IteratorResult<void, unknown>;
    try {
      const mustStop = isOfRun && run?.isCancelled && !chosen.isCancelled && !isFinishing(chosen);
      if (mustStop) chosen.isCancelled = true;
      next = mustStop ? await chosen.work.throw(new Cancelled()) : await chosen.work.next();
      chosen.hasBegun = true;
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      if (run) run.open = run.open.filter((other) => other !== chosen);
      return this.#stopIfIdle();
    } finally {
      this.#world.nextFault = undefined;
      this.#noteOverlaps();
    }
    if (fault) this.#trace.push(`  ${chosen.name} ${fault.how} at ${fault.at}${next.done ? ': ended' : ''}`);
    if (next.done !== true) return;
    if (isOfRun && run) run.open = run.open.filter((other) => other !== chosen);
    chosen.end(next.value as never);
    this.#stopIfIdle();
  }

  #stopIfIdle(): void {
    const run = this.#run;
    if (!run?.isCancelled || run.hasStopped || run.open.length > 0) return;
    run.hasStopped = true;
    this.#tell(run, { on: 'stopped' });
  }

  #noteOverlaps(): void {
    const run = this.#run;
    const isListWork = run?.open.some(({ command }) => command && listWork.has(command.do)) ?? false;
    for (const sync of this.#onDemand) {
      const patientRef = this.#world.refOf(sync.person);
      const isSynced = run?.open.some(
        ({ command }) => command && 'patientRef' in command && command.patientRef === patientRef,
      );
      if (isListWork || isSynced) sync.overlaps = true;
    }
  }

  async #goOn(pick: number): Promise<void> {
    const { lateAttempts } = this.#world;
    this.#trace.push('  a late attempt goes on');
    const [late] = lateAttempts.splice(pick % Math.max(1, lateAttempts.length), 1);
    if (late === undefined) return;
    this.result.lateAttempts += 1;
    this.#hasLeftovers = true;
    this.#hasChanged = true;
    for (const run of [this.#run, this.#lastRun]) if (run) run.hadLateAttempts = true;
    for (const [person, contents] of this.#unfinished) this.#reference.mayBe(person, ...contents);
    for (const person of this.#unfinishedHeld) this.#reference.mayBe(person, undefined);
    if (lateAttempts.length === 0) {
      this.#unfinished.clear();
      this.#unfinishedHeld.clear();
    }
    await late();
    await this.#checkIfQuiet();
  }

  /** Carries out everything that can be carried out. */
  async #rest(): Promise<void> {
    for (let work = 0; ; work++) {
      const all = this.#allInProgress();
      const chosen = all.find(({ name }) => name !== 'saveLater') ?? all[0];
      if (chosen === undefined) break;
      if (work > workMax) this.#break(`${chosen.name} goes on forever`);
      await this.#advance(chosen);
    }
    const run = this.#run;
    if (run && run.state.step.name !== 'awaiting-decision') this.#break(`the run stands still: ${run.state.step.name}`);
    await this.#checkIfQuiet();
  }

  /** Compares what is stored with the reference model, if nothing is in progress. */
  async #checkIfQuiet(): Promise<void> {
    if (!this.#hasChanged) return;
    const isQuiet = this.#allInProgress().every(({ name }) => name.startsWith('save'));
    if (!isQuiet || (this.#run && this.#run.state.step.name !== 'awaiting-decision')) return;
    this.#hasChanged = false;
    this.result.quietPoints += 1;
    const { patients, lists, payloads, orphans } = await this.#world.read();
    const { tables, uncertain } = this.#reference;
    for (const person of new Set([...patients.keys(), ...tables.keys(), ...uncertain.keys()])) {
      const stored = patients.get(person)?.content;
      const expected = uncertain.get(person) ?? new Set([tables.get(person)]);
      if (!expected.has(stored))
        this.#break(`person ${person} is stored as ${stored}, and must be ${[...expected].join(' or ')}`);
    }
    await this.#checkLog(patients);
    const contents = new Map(Array.from(patients, ([person, { content }]) => [person, content]));
    this.#reference.adopt(contents, (person) => this.#storedAnswers.get(person) ?? 0);
    for (const [person, { careState, hasRecords }] of patients) {
      if (careState === 'current' && !hasRecords) this.#break(`person ${person} is current, and has no records`);
      const because = {
        failed: 'unknown',
        'reported-not-insured': 'not-insured',
        pending: undefined,
        current: undefined,
      } as const;
      const answer = because[careState];
      if (answer && this.#insurer.lastAnswer(person, answer) <= (this.#storedAnswers.get(person) ?? 0))
        this.#break(`person ${person} is ${careState}, although a later answer was stored`);
    }
    const last = this.#run ?? this.#lastRun;
    if (last === undefined || last.hadLateAttempts || last.isCancelled) return;
    this.#checkCareStates(last, patients);
    const question = last.state.listQuestion?.listId;
    for (const listId of lists) if (listId !== question && !this.#hasLeftovers) this.#break(`list ${listId} is left`);
    for (const syncId of payloads) if (!this.#hasLeftovers) this.#break(`a payload of ${syncId} is left`);
    for (const version of orphans) if (!this.#hasLeftovers) this.#break(`care records are left: ${version}`);
  }

  /** The access log has the import of everyone who is stored, and each removal. It only grows, so each is read once. */
  async #checkLog(stored: ReadonlyMap<number, { readonly content: Content }>): Promise<void> {
    const imported = Array.from(stored, ([person, { content }]) =>
      content === 'provisional' ? `${person} care-records:` : `${person} import:`,
    ).filter((entry) => !this.#logged.has(entry));
    const removals = [...this.#reference.removals].filter((removal) => !this.#logged.has(removal));
    const people = new Set([...imported, ...removals].map((entry) => Number.parseInt(entry, 10)));
    if (people.size === 0) return;
    const log = await this.#world.readLog(people);
    for (const removal of removals) if (!log.has(removal)) this.#break(`the access log lacks ${removal}`);
    for (const start of imported)
      if (![...log].some((entry) => entry.startsWith(start)))
        this.#break(`person ${Number.parseInt(start, 10)} was stored without an access entry`);
    for (const entry of [...removals, ...imported]) this.#logged.add(entry);
  }

  /** The access log has no entry about a list that has not stored or changed the person, unless an attempt has failed. */
  async #checkLogForMore(): Promise<void> {
    const everyone = new Set(Array.from({ length: this.#insurer.people }, (_, person) => person));
    for (const entry of await this.#world.readLog(everyone)) {
      const [, listId] = / (?:import|change):(.*)/.exec(entry) ?? [];
      if (listId === undefined || this.#world.faultyLists.has(listId) || this.#cancelledLists.has(listId)) continue;
      if (!this.#reference.written.has(entry)) this.#break(`the access log has ${entry}, which has not happened`);
    }
  }

  /** Nobody stays pending or reported without a reason. */
  #checkCareStates(
    { outcomes, state }: ActiveRun,
    patients: ReadonlyMap<number, Pick<StoredPerson, 'content' | 'careState'>>,
  ): void {
    for (const [person, { content, careState }] of patients) {
      const outcome = outcomes.get(person);
      if (outcome?.startsWith('on demand')) continue;
      if (content === 'provisional' && this.#hasLeftovers) continue; // a late attempt of a sync may have received a 410
      if (careState === 'pending' && outcome !== 'exhausted')
        this.#break(`person ${person} is pending after ${outcome}`);
      if (careState === 'reported-not-insured' && outcome !== 'held' && !state.hasListFailed)
        this.#break(`person ${person} is reported after ${outcome}`);
    }
  }
}

const listWork: ReadonlySet<string> = new Set([
  'fetchList',
  'splitList',
  'beginList',
  'applyList',
  'removeGone',
  'countPatients',
  'finishRemovals',
  'reopenReported',
  'removeHeld',
]);

/** Whether a command is carried out to its end also after a cancellation. */
const isFinishing = ({ command }: InProgress): boolean =>
  ['removePatient', 'holdPatient', 'save', 'sweep'].includes(command?.do ?? '');
