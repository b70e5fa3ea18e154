import type { Socket } from 'node:net';
import {
  type AnswerHandler,
  ConnectionFailure,
  type ConnectionRequest,
  type InsurerConnection,
} from '../../worker/line/insurer-connection.ts';
import { LineWithheld } from '../../worker/line/line-error.ts';
import { ConnectError } from '../../worker/line/open-socket.ts';
import type { Judge } from './judge.ts';
import { type Answer, answers, type OpenSocket, type SeenRequest } from './requests.ts';
import type { SimulatedProcess, World } from './world.ts';

const weightOfAll = Object.values(answers).reduce((sum, weight) => sum + weight, 0);

/** A machine's network to the insurer. */
export interface InsurerLink {
  trouble: 'refused' | 'silent' | undefined;
}

/** Delay of one direction of the network, in ms. A close is as fast as a byte. */
const wayMs = { least: 0.3, most: 2.9 } as const;
/** Time in ms after which a silent network reports an error. */
const silentMs = 1_500;
const refusedShare = 0.08;
/** the insurer's wall clock at the start, epoch ms */
const epochMs = Date.UTC(2026, 10, 1);

/** Simulates the insurer's server behind sockets. */
export class SimulatedInsurer {
  requests = 0;
  /** time of the last attempt to connect; with refused connections, the line is in use but attempts are rarer */
  triedMs = 0;
  /** until then, every answer is an error */
  outUntilMs = 0;
  inFlight = new Set<SeenRequest>();
  /** sockets that their process has not closed: connecting, idle or in use */
  sockets = new Set<OpenSocket>();
  readonly #world: World;
  readonly #judge: Judge;
  /** the next answers; later ones are random */
  readonly #script: Answer[] = [];
  readonly #breaks = new WeakMap<SeenRequest, () => void>();
  readonly #onArrival = new Set<() => void>();
  readonly #onEnd = new Set<() => void>();

  constructor(world: World, judge: Judge) {
    this.#world = world;
    this.#judge = judge;
  }

  /** Calls back once, at the next request or at its end. @returns cancels it */
  once(what: 'arrival' | 'end', action: () => void): () => void {
    const listeners = what === 'arrival' ? this.#onArrival : this.#onEnd;
    listeners.add(action);
    return () => listeners.delete(action);
  }

  connectionOf(
    process: SimulatedProcess,
    connectMs: number,
    mayConnect: () => boolean,
    link: InsurerLink,
    stuckWrites: StuckWrites,
  ): InsurerConnection {
    return new SimulatedConnection(this.#world, this, process, connectMs, mayConnect, link, stuckWrites);
  }

  socketOpens(socket: OpenSocket): void {
    this.sockets.add(socket);
    this.#judge.socketOpens(socket);
  }

  socketCloses(socket: OpenSocket): void {
    this.sockets.delete(socket);
  }

  /** Sets the answer to the next request. */
  next(answer: Answer): boolean {
    if (this.#script.length > 0) return false;
    this.#script.push(answer);
    return true;
  }

  /** Closes all connections of a process, as the network would. */
  disconnect(process: SimulatedProcess): boolean {
    const [seen] = [...this.inFlight].filter((one) => one.process === process);
    if (seen === undefined) return false;
    this.ends(seen, 'disconnected by the network');
    this.#breaks.get(seen)?.();
    return true;
  }

  /** @param breakOff tells the process that the network has closed the request's connection */
  onBreak(seen: SeenRequest, breakOff: () => void): void {
    this.#breaks.set(seen, breakOff);
  }

  drawAnswer(): Answer {
    const scripted = this.#script.shift();
    if (scripted !== undefined) return scripted;
    if (this.#world.nowMs < this.outUntilMs) return this.#world.chance(0.5) ? 'server-error' : 'reset';
    let left = this.#world.random() * weightOfAll;
    for (const [answer, weight] of Object.entries(answers)) {
      left -= weight;
      if (left < 0) return answer as Answer;
    }
    return 'served';
  }

  isWritten(process: SimulatedProcess, path: string): void {
    this.#judge.requestIsWritten(process, kvnrIn(path));
  }

  arrives(process: SimulatedProcess, path: string, wasStuck: boolean): SeenRequest {
    this.requests += 1;
    const kvnr = kvnrIn(path);
    const seen: SeenRequest = {
      ...{ number: this.requests, process, kvnr },
      ...{ startedMs: this.#world.nowMs, endedMs: undefined },
    };
    this.#world.say(() => `insurer: request ${seen.number} of ${process.name}`);
    this.#judge.requestArrives(seen, this.inFlight, wasStuck);
    this.inFlight.add(seen);
    for (const tell of [...this.#onArrival]) {
      this.#onArrival.delete(tell);
      tell();
    }
    return seen;
  }

  ends(seen: SeenRequest, how: string): void {
    if (seen.endedMs !== undefined) return;
    seen.endedMs = this.#world.nowMs;
    this.inFlight.delete(seen);
    this.#world.say(() => `insurer: request ${seen.number} is over: ${how}`);
    for (const tell of [...this.#onEnd]) {
      this.#onEnd.delete(tell);
      tell();
    }
  }

  retryAfterIsSent(seen: SeenRequest, seconds: number): void {
    this.#judge.retryAfterIsSent(seen, seconds * 1_000);
  }

  answerIsReceived(seen: SeenRequest, answer: Answer): void {
    this.#judge.answerIsReceived(seen, answer);
  }

  answerEnds(seen: SeenRequest, answer: Answer): void {
    this.#judge.answerEnds(seen, isFailure(answer, seen));
  }
}

/** @returns undefined for an answer that is checked later, or never comes, or has rules of its own */
function isFailure(answer: Answer, { kvnr }: SeenRequest): boolean | undefined {
  if (['server-error', 'redirect', 'reset', 'cut-short'].includes(answer)) return true;
  const isTaken = answer === 'not-json' && kvnr === undefined; // the simulated receiver of the list takes any bytes
  return isTaken || ['served', 'not-insured', 'unknown'].includes(answer) ? false : undefined;
}

const kvnrIn = (path: string): string | undefined => /patients\/([A-Z]\d{9})\//.exec(path)?.[1];

/** Freezes a process between its check of the clock and the sending of the bytes. */
export interface StuckWrites {
  nextMs: number | undefined;
  /** whether it may be frozen: not while the main process is */
  readonly canFreeze: () => boolean;
}

class SimulatedSocket implements OpenSocket {
  bytesRead = 0;
  destroyed = false;
  closed = false;
  isIdle = true;
  seen: SeenRequest | undefined;
  readonly process: SimulatedProcess;
  readonly #atInsurer: () => void;
  readonly #onClose: (() => void)[] = [];
  readonly onDestroy: (error: Error) => void;

  constructor(process: SimulatedProcess, atInsurer: () => void, onDestroy: (error: Error) => void) {
    this.process = process;
    this.#atInsurer = atInsurer;
    this.onDestroy = onDestroy;
    process.onDeath(() => this.closeBySystem());
  }

  /** Closes the socket by the operating system. The insurer sees that even if the process is frozen. */
  closeBySystem(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#atInsurer();
  }

  destroy(error?: Error): void {
    if (this.destroyed) return;
    this.closeBySystem();
    this.process.receives(0, () => {
      this.closed = true;
      this.onDestroy(error ?? new Error('destroyed'));
      for (const tell of this.#onClose.splice(0)) tell();
    });
  }

  once(_close: 'close', listener: () => void): void {
    this.#onClose.push(listener);
  }
}

/** A request and whether it is over. */
interface RunningRequest {
  readonly handler: AnswerHandler;
  isOver: boolean;
}

/** Simulates a connection over simulated sockets: one at a time, kept while the insurer keeps it. */
class SimulatedConnection implements InsurerConnection {
  readonly #world: World;
  readonly #insurer: SimulatedInsurer;
  readonly #process: SimulatedProcess;
  readonly #link: InsurerLink;
  readonly #stuckWrites: StuckWrites;
  readonly #connectMs: number;
  readonly #mayConnect: () => boolean;
  #socket: SimulatedSocket | undefined;
  #running: RunningRequest | undefined;

  constructor(
    world: World,
    insurer: SimulatedInsurer,
    process: SimulatedProcess,
    connectMs: number,
    mayConnect: () => boolean,
    link: InsurerLink,
    stuckWrites: StuckWrites,
  ) {
    this.#connectMs = connectMs;
    this.#mayConnect = mayConnect;
    this.#world = world;
    this.#insurer = insurer;
    this.#process = process;
    this.#link = link;
    this.#stuckWrites = stuckWrites;
  }

  get socket(): InsurerConnection['socket'] {
    return this.#socket as unknown as Socket | undefined;
  }

  send({ path }: ConnectionRequest, handler: AnswerHandler): void {
    const running = { handler, isOver: false };
    this.#running = running;
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.isIdle) {
      const open = this.#socket;
      this.#process.receives(0, () => this.#write(open, path, running));
      return;
    }
    if (!this.#mayConnect()) {
      this.#process.receives(0, () => this.#fail(running, new LineWithheld(false)));
      return;
    }
    const socket = new SimulatedSocket(
      this.#process,
      () => {
        this.#insurer.socketCloses(socket);
        const { seen } = socket;
        if (seen !== undefined) this.#world.plan(this.#way(), () => this.#insurer.ends(seen, 'closed by us'));
      },
      (error) => this.#running !== undefined && this.#fail(this.#running, error),
    );
    this.#socket = socket;
    this.#insurer.socketOpens(socket);
    this.#insurer.triedMs = this.#world.nowMs;
    const { trouble } = this.#link;
    if (trouble === 'silent') {
      this.#process.receives(Math.min(this.#connectMs, silentMs), () => socket.destroy(new ConnectError('ETIMEDOUT')));
    } else if (trouble === 'refused' || this.#world.chance(refusedShare))
      this.#process.receives(2 * this.#way(), () => socket.destroy(new ConnectError('ECONNREFUSED')));
    else this.#process.receives(2 * this.#way(), () => this.#write(socket, path, running));
  }

  #way(): number {
    return this.#world.between(wayMs.least, wayMs.most);
  }

  #write(socket: SimulatedSocket, path: string, running: RunningRequest): void {
    if (socket.destroyed) return;
    const { handler } = running;
    if (!handler.mayWrite()) {
      this.#fail(running, new ConnectionFailure('closed', 'not sent'));
      socket.destroy();
    }
    if (socket.destroyed) return;
    this.#insurer.isWritten(this.#process, path);
    socket.isIdle = false;
    const world = this.#world;
    const insurer = this.#insurer;
    const process = this.#process;
    const stuckMs = this.#stuckWrites.canFreeze() ? this.#stuckWrites.nextMs : undefined;
    this.#stuckWrites.nextMs = undefined;
    const send = (): void => void world.plan(this.#way(), arrive);
    /** the parts of the answer, in order */
    let lastMs = 0;
    const comes = (action: () => void): void => {
      lastMs = Math.max(lastMs, world.nowMs + this.#way());
      process.receives(lastMs - world.nowMs, () => !socket.destroyed && !running.isOver && action());
    };
    const headers = (status: number, more: Record<string, string> = {}): void =>
      comes(() => {
        socket.bytesRead += 200;
        handler.onHeaders(status, more, () => {});
      });
    const data = (text: string): void =>
      comes(() => {
        socket.bytesRead += text.length;
        handler.onData(Buffer.from(text));
      });
    const arrive = (): void => {
      if (socket.destroyed) {
        // it was written before the close, so the insurer sees both
        const passing = insurer.arrives(process, path, stuckMs !== undefined);
        world.plan(this.#way(), () => insurer.ends(passing, 'closed by us'));
        return;
      }
      const seen = insurer.arrives(process, path, stuckMs !== undefined);
      socket.seen = seen;
      insurer.onBreak(seen, () => breakOff(seen, new ConnectionFailure('broken', 'ECONNRESET')));
      const answer = insurer.drawAnswer();
      world.plan(world.between(1, 60), () => {
        if (seen.endedMs === undefined) reply(seen, answer);
      });
    };
    const end = (seen: SeenRequest, answer: Answer): void => {
      insurer.ends(seen, 'answered');
      socket.seen = undefined;
      const closes = world.chance(0.3);
      comes(() => {
        running.isOver = true;
        socket.isIdle = true;
        handler.onEnd();
        insurer.answerEnds(seen, answer);
        if (closes) socket.destroy();
      });
    };
    const breakOff = (seen: SeenRequest, error: Error, answer?: Answer): void => {
      insurer.ends(seen, 'broken off');
      socket.seen = undefined;
      comes(() => {
        this.#fail(running, error);
        socket.destroy(error);
        if (answer !== undefined) insurer.answerEnds(seen, answer);
      });
    };
    const reply = (seen: SeenRequest, answer: Answer): void => {
      world.say(() => `insurer: answers ${answer} to request ${seen.number}`);
      const whole = (status: number, text: string, more: Record<string, string> = {}): void => {
        headers(status, { 'content-length': String(text.length), ...more });
        data(text);
        end(seen, answer);
      };
      const received = (): void => comes(() => insurer.answerIsReceived(seen, answer));
      switch (answer) {
        case 'served':
          whole(200, seen.kvnr === undefined ? '{"patients":[]}' : recordsOf(seen.kvnr));
          break;
        case 'server-error':
          whole(500, 'oops');
          break;
        case 'not-json':
          whole(200, '<html>');
          break;
        case 'redirect':
          whole(302, '', { location: '/elsewhere' });
          break;
        case 'unknown':
          whole(404, '{}');
          break;
        case 'not-insured':
          received();
          whole(410, '{}');
          break;
        case 'unauthorized':
          received();
          whole(401, '{}');
          break;
        case 'busy': {
          const seconds = world.chance(0.8) ? world.whole(1, 2) : world.whole(3, 8);
          insurer.retryAfterIsSent(seen, seconds);
          received();
          const dateOf = (inS: number): string => new Date(epochMs + world.nowMs + inS * 1_000).toUTCString();
          const retryAfter = world.chance(0.3)
            ? { date: dateOf(0), 'retry-after': dateOf(seconds) }
            : { 'retry-after': String(seconds) };
          whole(world.chance(0.5) ? 429 : 503, 'busy', retryAfter);
          break;
        }
        case 'reset':
          breakOff(seen, new ConnectionFailure('broken', 'ECONNRESET'), answer);
          break;
        case 'cut-short':
          headers(200, { 'content-length': '1000' });
          data('{"kvnr":');
          breakOff(seen, new ConnectionFailure('closed', 'answer incomplete'), answer);
          break;
        case 'stalled':
          headers(200, { 'content-length': '1000' });
          data('{"kvnr":');
          break;
        case 'hang':
          break;
      }
    };

    // A process that is killed in between has not written.
    if (stuckMs === undefined) send();
    else this.#process.freezeWithinTurn(stuckMs, () => !socket.destroyed && send());
  }

  #fail(running: RunningRequest, error: Error): void {
    if (running.isOver) return;
    running.isOver = true;
    const isFailure =
      error instanceof ConnectError || error instanceof ConnectionFailure || error instanceof LineWithheld;
    running.handler.onFailure(isFailure ? error : new ConnectionFailure('closed', 'destroyed'));
  }
}

const recordsOf = (kvnr: string): string =>
  `{"kvnr":"${kvnr}","careRecords":[{"id":"1","programme":"DMP","title":"t","status":"active","start":"2026-01-01"}]}`;
