import { type Gate, isSilent, lineItself } from '../../core/domain/gate.ts';
import { kvnrLetters, workerOf } from './names.ts';
import { isQuietAt } from './quiet.ts';
import type { Answer, OpenSocket, SeenRequest } from './requests.ts';
import type { SimulatedProcess, World } from './world.ts';

/** A Retry-After. It applies to its receiver immediately, and to later holders once the gate has it. */
interface Cooldown {
  /** its end, in true time */
  readonly untilMs: number;
  readonly seen: SeenRequest;
  receiver?: SimulatedProcess;
  /** set once the gate has it: the holder at that time, who may not have read the gate since */
  inGate?: { readonly holder: string | undefined };
}

interface Failures {
  /** how often each patient has failed; undefined: the list */
  readonly ofTarget: Map<string | undefined, number>;
  readonly waits: number;
  readonly atMs: number;
}

/** Number of failures in a row that begin an outage, and how many of them count for one patient. */
const failuresOfOutage = 40;
const countedPerPatient = 8;
/** Time in ms after which every process that may send knows a pace that was set, and a cooldown that was lifted. */
const changeKnownMs = 10_000;

/** Largest drift of a clock from true time, as a fraction. */
export const driftMost = 0.001;

/** Checks every relevant event, and reports the first broken guarantee. */
export class Judge {
  readonly #world: World;
  /** the last confirmed pause, until an operator who has seen it lifts it */
  #confirmedChange: number | undefined;
  /** the pauses for which a valid resume was requested */
  readonly #requestedResumes = new Set<number>();
  #liftedChange = -1;
  /** until when each operator's confirmed pause lasts, epoch ms; the earlier end while another one is requested */
  readonly #pauseEndsMs = new Map<string, number>();
  #cooldowns: Cooldown[] = [];
  /** holder of the lease, as the gate says */
  #holder: string | undefined;
  /** processes that received a 401 and may send nothing until the line is resumed */
  readonly #denied = new Set<SimulatedProcess>();
  /** the pace in the gate, since when, and the last request: undefined if its process was frozen before it was written */
  #pace: { readonly requestsPerMinute: number | undefined; readonly sinceMs: number } = {
    requestsPerMinute: undefined,
    sinceMs: 0,
  };
  #lastRequestMs: number | undefined;
  /** when an operator has lifted a cooldown */
  #liftedMs = Number.NEGATIVE_INFINITY;
  /** for each process: its failures in a row, about whom, after how many of them it had to wait, and the time of the last */
  readonly #failures = new Map<SimulatedProcess, Failures>();
  /** requests before the end of a Retry-After that no other process could know */
  lostCooldowns = 0;
  /** for each process: the people whose sync has sent a request and has not ended */
  readonly #served = new Map<SimulatedProcess, Set<string>>();
  /** requests that were sent again for a person, who kept the turn */
  keptTurns = 0;
  confirmedPauses = 0;
  /** failures after which a process had to wait longer */
  outages = 0;
  lifts = 0;
  takeovers = 0;

  constructor(world: World) {
    this.#world = world;
  }

  get inCooldown(): boolean {
    return this.#cooldowns.some(
      ({ untilMs, inGate, receiver }) => untilMs > this.#world.nowMs && (inGate ?? receiver?.isAlive),
    );
  }

  /** Checks a request when its process decides to write it, because quiet hours go by the wall clock of that moment. */
  requestIsWritten({ name, machine }: SimulatedProcess, kvnr: string | undefined): void {
    if (!this.#world.hasQuietHours || kvnr?.startsWith(kvnrLetters.urgent) || !isQuietAt(machine.epochMs())) return;
    this.#reportBroken(`${name} writes a request of the run in quiet hours`);
  }

  /** @param wasStuck its process was frozen between the decision to send it and the write */
  requestArrives(request: SeenRequest, inFlight: ReadonlySet<SeenRequest>, wasStuck: boolean): void {
    const { process, number } = request;
    this.#checkPace(request, wasStuck);
    this.#checkBackoff(request);
    this.#checkTurn(request);
    const [other] = inFlight;
    if (other !== undefined)
      this.#reportBroken(
        `two requests in flight: ${number} of ${process.name} came while ${other.number} of ${other.process.name} was`,
      );
    if (this.#confirmedChange !== undefined)
      this.#reportBroken(`request ${number} of ${process.name} in a confirmed pause`);
    if (this.#denied.has(process)) this.#reportBroken(`request ${number} of ${process.name} after it received a 401`);
    const nowMs = this.#world.nowMs;
    this.#cooldowns = this.#cooldowns.filter(({ untilMs }) => untilMs > nowMs);
    for (const cooldown of this.#cooldowns) {
      const { receiver, inGate } = cooldown;
      if (receiver === process || (inGate !== undefined && !isOf(process, inGate.holder)))
        this.#reportBroken(`request ${number} of ${process.name} before the end of a Retry-After`);
      this.lostCooldowns += 1;
    }
  }

  /** A holder that has not read the gate since the pace was set has lost its lease after a while. */
  #checkPace({ number, process }: SeenRequest, wasStuck: boolean): void {
    const { nowMs } = this.#world;
    const { requestsPerMinute, sinceMs } = this.#pace;
    const isKnown = nowMs - sinceMs > changeKnownMs;
    const gapMs =
      this.#lastRequestMs === undefined || wasStuck ? Number.POSITIVE_INFINITY : nowMs - this.#lastRequestMs;
    if (requestsPerMinute !== undefined && isKnown && gapMs < 60_000 / requestsPerMinute)
      this.#reportBroken(`request ${number} of ${process.name} is faster than the pace: after ${gapMs} ms`);
    this.#lastRequestMs = wasStuck ? undefined : nowMs;
  }

  /** Checks that only people are served between the first and the last request of a person's sync. */
  #checkTurn({ number, process, kvnr }: SeenRequest): void {
    const served = this.#served.get(process) ?? new Set();
    if (kvnr?.startsWith(kvnrLetters.urgent)) {
      if (served.has(kvnr)) this.keptTurns += 1;
      this.#served.set(process, served.add(kvnr));
    } else if (served.size > 0)
      this.#reportBroken(`request ${number} of ${process.name} is of the run, while a person is served`);
  }

  /** Records that a person's sync has ended in this process. */
  personIsServed(process: SimulatedProcess, kvnr: string): void {
    this.#served.get(process)?.delete(kvnr);
  }

  #checkBackoff({ number, process }: SeenRequest): void {
    const { waits, atMs } = this.#failures.get(process) ?? { waits: 0, atMs: 0 };
    if (waits === 0) return;
    const leastMs = Math.min(60_000, 1_000 * 2 ** (waits - 1)) * (1 - driftMost);
    if (this.#world.nowMs - atMs < leastMs)
      this.#reportBroken(`request ${number} of ${process.name} comes too soon in an outage, after ${waits} waits`);
  }

  /** @param isFailure undefined: it proves nothing */
  answerEnds({ process, kvnr }: SeenRequest, isFailure: boolean | undefined): void {
    const { nowMs } = this.#world;
    if (isFailure === false) this.#failures.delete(process);
    if (!isFailure || nowMs - this.#liftedMs < changeKnownMs) return;
    const { ofTarget = new Map<string | undefined, number>(), waits = 0 } = this.#failures.get(process) ?? {};
    ofTarget.set(kvnr, (ofTarget.get(kvnr) ?? 0) + 1);
    let counted = 0;
    for (const [target, times] of ofTarget)
      counted += target === undefined ? times : Math.min(times, countedPerPatient);
    const isOutage = counted >= failuresOfOutage;
    if (isOutage) this.outages += 1;
    this.#failures.set(process, { ofTarget, waits: waits + (isOutage ? 1 : 0), atMs: nowMs });
  }

  socketOpens({ process }: OpenSocket): void {
    if (this.#confirmedChange !== undefined) this.#reportBroken(`${process.name} opens a socket in a confirmed pause`);
    if (!isOf(process, this.#holder)) this.#reportBroken(`${process.name} opens a socket without a lease`);
  }

  retryAfterIsSent(seen: SeenRequest, forMs: number): void {
    this.#cooldowns.push({ untilMs: this.#world.nowMs + forMs * (1 - driftMost), seen });
  }

  answerIsReceived(seen: SeenRequest, answer: Answer): void {
    const { process } = seen;
    const cooldown = this.#cooldowns.find((one) => one.seen === seen);
    if (cooldown !== undefined) cooldown.receiver = process;
    if (answer === 'unauthorized') this.#denied.add(process);
  }

  gateIsWritten(
    before: Gate | undefined,
    after: Gate,
    { inFlight, sockets }: { readonly inFlight: ReadonlySet<SeenRequest>; readonly sockets: ReadonlySet<OpenSocket> },
  ): void {
    this.#holder = after.holder;
    if (after.cooldownMs > 0 && after.cooldown === undefined) this.#reportBroken('a cooldown that was lifted goes on');
    const { requestsPerMinute } = after.pace ?? {};
    if (requestsPerMinute !== this.#pace.requestsPerMinute)
      this.#pace = { requestsPerMinute, sinceMs: this.#world.nowMs };
    if ((after.liftNumber ?? 0) > (before?.liftNumber ?? 0)) {
      this.lifts += 1;
      this.#cooldowns = this.#cooldowns.filter(({ inGate }) => inGate === undefined);
      this.#failures.clear(); // each process counts from 0 once it knows of the lift
      this.#liftedMs = this.#world.nowMs;
    }
    if (before?.holder !== undefined && after.holder !== undefined && before.holder !== after.holder)
      this.takeovers += 1;
    if (after.cooldownMs > 0) {
      const nowMs = this.#world.nowMs;
      for (const cooldown of this.#cooldowns)
        if (cooldown.receiver !== undefined && cooldown.untilMs <= nowMs + after.cooldownMs * (1 + driftMost))
          cooldown.inGate ??= { holder: after.holder };
    }
    if (before?.state === 'paused' && after.state === 'open') {
      if (after.by === lineItself) this.#checkEnd(before);
      else if (!this.#requestedResumes.has(before.changeNumber))
        this.#reportBroken(`pause ${before.changeNumber} was lifted without a resume by an operator who had seen it`);
      this.#denied.clear();
      this.#pauseEndsMs.clear();
      this.#confirmedChange = undefined;
      this.#liftedChange = before.changeNumber;
    }
    const [request] = inFlight;
    if (isSilent(after) && request !== undefined)
      this.#reportBroken(
        `the gate calls the line silent while request ${request.number} of ${request.process.name} is in flight`,
      );
    for (const { process } of sockets) {
      if (isSilent(after)) this.#reportBroken(`the gate calls the line silent while ${process.name} has a socket`);
      if (!isOf(process, after.holder)) this.#reportBroken(`${process.name} has a socket after the end of its lease`);
    }
  }

  /** Checks that every reason of a pause is over when the timer opens the line. */
  #checkEnd({ openReasons = [] }: Gate): void {
    const nowMs = this.#world.epochMs;
    for (const [operator, endMs] of this.#pauseEndsMs)
      if (endMs > nowMs) this.#reportBroken(`the timer opens the line ${endMs - nowMs} ms before ${operator}'s end`);
    for (const { by, until } of openReasons)
      if (until === undefined) this.#reportBroken(`the timer opens the line, but the pause of ${by} has no end`);
  }

  /** Records that an operator asks for a pause. It may apply, also if there is no answer. */
  pauseIsRequested(operator: string, endMs: number): void {
    const confirmedMs = this.#pauseEndsMs.get(operator);
    if (confirmedMs !== undefined) this.#pauseEndsMs.set(operator, Math.min(confirmedMs, endMs));
  }

  /** Records that an operator requests a resume for this state. */
  resumeIsRequested(seen: number): void {
    this.#requestedResumes.add(seen);
  }

  /** Records that an operator got the confirmation of this pause. @param endMs epoch ms; infinite without an end; undefined if the answer does not name their reason */
  pauseIsConfirmed(
    operator: string,
    endMs: number | undefined,
    change: number,
    { inFlight, sockets }: { readonly inFlight: ReadonlySet<SeenRequest>; readonly sockets: ReadonlySet<OpenSocket> },
  ): void {
    this.confirmedPauses += 1;
    if (this.#liftedChange >= change) return; // an operator who had seen it has lifted it since
    const [request] = inFlight;
    if (request !== undefined)
      this.#reportBroken(
        `pause ${change} is confirmed while request ${request.number} of ${request.process.name} is in flight`,
      );
    for (const { process } of sockets)
      this.#reportBroken(`pause ${change} is confirmed while ${process.name} has a socket`);
    this.#confirmedChange = change;
    if (endMs !== undefined) this.#pauseEndsMs.set(operator, endMs);
  }

  #reportBroken(guarantee: string): void {
    this.#world.break(guarantee);
  }
}

/** Returns whether the process belongs to the worker with this holder ID. */
const isOf = ({ name }: SimulatedProcess, holder: string | undefined): boolean =>
  holder !== undefined && name.startsWith(`${workerOf(holder)}.`);
