import { registerHooks } from 'node:module';

/** A deliberate fault in the source: one place in one file, which must occur exactly once. */
export interface Mutant {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const domain = 'core/domain/gate.ts';
const store = 'core/stores/gate.ts';
const lease = 'worker/line/lease.ts';
const keeper = 'worker/line/keeper.ts';
const permit = 'worker/line/send-permit.ts';

/** A mutant, and the first seed whose faults find it, if others before do not. The search begins there: seed 1 by default. */
type FoundMutant = Mutant & { readonly seed?: number };

/** The rules that the gate model breaks one by one (test/gate-model), each broken in the source. */
const gateMutants: Readonly<Record<string, FoundMutant>> = {
  'a lease is compared without its number': {
    file: domain,
    find: 'watch !== undefined && watch.holder === gate.holder && watch.renewalNumber === gate.renewalNumber;',
    replace: 'watch !== undefined && watch.holder === gate.holder;',
  },
  'a renewal does not change the number': {
    file: domain,
    find: '{ leaseMs: event.leaseMs, busy: event.busy && !gate.silent, renewalNumber },',
    replace: '{ leaseMs: event.leaseMs, busy: event.busy && !gate.silent },',
  },
  'a lease is taken that was not watched': {
    file: lease,
    find: 'hasLapsed(watch, gate, leaseMs, nowMs)',
    replace: 'hasLapsed(watch, gate, leaseMs, nowMs + 10 * leaseMs)',
  },
  'a lease counts from the answer': {
    seed: 8,
    file: keeper,
    find: 'sendUntilMs: maySendUntilMs(sentMs, this.#leaseMs)',
    replace: 'sendUntilMs: maySendUntilMs(this.#clock.monotonicMs(), this.#leaseMs)',
  },
  'a holder keeps no margin': {
    file: lease,
    find: 'sentMs + leaseMs - leaseMarginMs(leaseMs)',
    replace: 'sentMs + leaseMs',
  },
  'a watcher keeps no margin': {
    seed: 15,
    file: domain,
    find: 'return watch.sinceMs + longestLeaseMs + leaseMarginMs(longestLeaseMs);',
    replace: 'return watch.sinceMs + longestLeaseMs;',
  },
  'a line process does not close at the end of the lease': {
    file: permit,
    find: 'holdsLease ? this.#notOpenSinceMs + graceMs : nowMs',
    replace: 'holdsLease ? this.#notOpenSinceMs + graceMs : Number.POSITIVE_INFINITY',
  },
  'a keeper does not kill a frozen line process': {
    seed: 8,
    file: 'worker/line/line-process-supervisor.ts',
    find: '    this.#process.kill();\n',
    replace: '',
  },
  'a write is not compared': {
    file: store,
    find: 'PutCommand({ TableName: lineTable, Item: gate, ...condition })',
    replace: 'PutCommand({ TableName: lineTable, Item: gate })',
  },
  'a write that was given up is not compared': {
    file: store,
    find: '      throw error;\n    }\n  };\n\n  const attempt',
    replace:
      '      void documents.send(new PutCommand({ TableName: lineTable, Item: gate })).catch(() => {});\n      throw error;\n    }\n  };\n\n  const attempt',
  },
  'a lease is handed back while its line process is not closed': {
    file: lease,
    find: 'if (isLineProcessClosed && (state.isStopping || state.isLineProcessGivenUp))',
    replace: 'if (state.isStopping || (isLineProcessClosed && state.isLineProcessGivenUp))',
  },
  'a pause does not wait for silence': {
    file: domain,
    find: "gate.state === 'paused' && (gate.silent || gate.holder === undefined);",
    replace: "gate.state === 'paused';",
  },
  'a held line counts as silent once it is paused': {
    file: domain,
    find: 'return write({ silent: gate.holder === undefined, ...changed',
    replace: 'return write({ silent: true, ...changed',
  },
  'a lease that a pauser has watched is not ended': {
    seed: 24,
    file: store,
    find: "const outcome = await attempt(gate, { kind: 'lapse', lapsed: watch }).catch(unlessUnavailable);",
    replace: "const outcome = { kind: 'written', gate } as GateOutcome;",
  },
  'a pauser ends a lease that it has not watched': {
    file: store,
    find: 'if (watch !== undefined && hasLapsed(watch, gate, 0, nowMs)) {',
    replace: 'if (watch !== undefined) {',
  },
  'a pauser ends a lease without comparing its number': {
    file: store,
    find: 'watch = watchLease(watch, gate, nowMs);',
    replace:
      'watch = watch?.holder === gate.holder ? watch && watchLease(undefined, gate, watch.sinceMs) : watchLease(undefined, gate, nowMs);',
  },
  'a holder says silent while its line process is not closed': {
    file: lease,
    find: "if (isLineProcessClosed && gate.state === 'paused' && !gate.silent)",
    replace: "if (gate.state === 'paused' && !gate.silent)",
  },
  'a new holder of a paused line sends': {
    file: keeper,
    find: "isPaused: this.#gate?.state !== 'open' ||",
    replace: "isPaused: (this.#gate?.state === 'paused' && !this.#gate.silent) ||",
  },
  'a resume opens any pause that it finds': {
    file: domain,
    find: "if (gate.state === 'open') return unchanged;\n      if (gate.changeNumber !== event.seen) return reject('superseded');",
    replace: "if (gate.state === 'open') return unchanged;",
  },
  'a timer opens the line although another timed reason is left': {
    file: domain,
    find: '({ until }) => until === undefined || at < until',
    replace: '({ until }) => until === undefined',
  },
  'a timer opens the line although a reason without an end is left': {
    file: domain,
    find: '({ until }) => until === undefined || at < until',
    replace: '({ until }) => until !== undefined && at < until',
  },
  'a pause does not replace the end of the same reason': {
    file: domain,
    find: 'open === same ? endingAt(endless, until) : open',
    replace: 'open',
  },
  'a late pause brings back an end that was replaced': {
    file: domain,
    find: 'if (seen !== gate.changeNumber) return undefined;',
    replace: '',
  },
  'a timed pause never ends': {
    file: domain,
    find: 'if (nextEnd === undefined || at < nextEnd) return unchanged;',
    replace: 'return unchanged;',
  },
};

/** Faults of the two processes, outside the rules of the gate. */
const processMutants: Readonly<Record<string, FoundMutant>> = {
  'keeper: a new holder does not know of a cooldown': {
    file: keeper,
    find: 'Math.max(isLifted ? 0 : this.#cooldownUntilMs, nowMs + gate.cooldownMs)',
    replace: '0',
  },
  'keeper: a renewal that failed lengthens the lease': {
    file: keeper,
    find: "this.#log.warn('gate unavailable', { fault: faultOf(error) });",
    replace:
      'if (this.#lease !== undefined) this.#lease = { ...this.#lease, sendUntilMs: this.#clock.monotonicMs() + this.#leaseMs };',
  },
  'keeper: the gate is not read again after a failed read': {
    file: keeper,
    find: '      if (!this.#isStopping) continue;',
    replace: '      if (!isGateReachable) return;\n      if (!this.#isStopping) continue;',
  },
  'keeper: a line process gets no order before the gate was read': {
    file: keeper,
    find: 'if (lineProcess === undefined) return;\n    this.#orderNumber',
    replace: 'if (lineProcess === undefined || this.#gate === undefined) return;\n    this.#orderNumber',
  },
  'keeper: an order under a lease that is over counts as one that permits sending': {
    file: 'worker/line/line-process-supervisor.ts',
    find: 'if (nowMs < order.sendUntilMs) {',
    replace: 'if (permitsSending(order)) {',
  },
  'keeper: a lease that is renewed in a pause leaves the line process no more time to close': {
    file: 'worker/line/line-process-supervisor.ts',
    find: 'if (nowMs < order.sendUntilMs) {',
    replace: 'if (permitsSending(order) && nowMs < order.sendUntilMs) {',
  },
  'permit: no gap after a request that was aborted': {
    file: permit,
    find: 'this.#gapUntilMs = Math.max(this.#gapUntilMs, this.#clock.monotonicMs() + this.#options.lineMinGapMs);',
    replace: '',
  },
  'permit: closed is said while a request is in flight': {
    file: permit,
    find: 'isClosed: !isBusy && !this.#hasSocket && (isLeaseOver || isFinallyForbidden),',
    replace: 'isClosed: isLeaseOver || isFinallyForbidden,',
  },
  'permit: an idle or connecting socket counts as closed': {
    file: permit,
    find: 'return this.#socket?.isClosed === false;',
    replace: 'return false;',
  },
  'permit: its own cooldown is forgotten': {
    file: permit,
    find: 'this.#ownCooldowns.add(own);',
    replace: '',
  },
  'permit: a cooldown is lifted before the gate has it': {
    file: permit,
    find: 'order.liftNumber > (own.liftNumber ?? Number.POSITIVE_INFINITY)',
    replace: 'order.liftNumber > (own.liftNumber ?? 0)',
  },
  'permit: a new holder sends before the pace permits it': {
    file: permit,
    find: 'this.#startGap();\n      this.#lastRequestMs = this.#clock.monotonicMs();',
    replace: 'this.#startGap();',
  },
  'permit: a pace applies to no request': {
    file: permit,
    find: 'this.#lastRequestMs + intervalMs, ',
    replace: '',
  },
  'keeper: a lifted cooldown goes on': {
    file: keeper,
    find: 'Math.max(isLifted ? 0 : this.#cooldownUntilMs, nowMs + gate.cooldownMs)',
    replace: 'Math.max(this.#cooldownUntilMs, nowMs + gate.cooldownMs)',
  },
  'backoff: an outage is not noticed': {
    file: 'worker/line/backoff.ts',
    find: "permit.startCooldown(waitMs(waits++), 'outage').catch(() => {});",
    replace: '',
  },
  'queue: the next task is chosen before a person whose request has failed has queued again': {
    file: 'worker/line/queue.ts',
    find: 'await new Promise<void>(clock.afterReading); // lets',
    replace: '// lets',
  },
  "a person's answer is checked while the next request is sent": {
    file: 'worker/insurer/insurer-client.ts',
    find: " && priority !== 'person'",
    replace: '',
  },
  'quiet hours: a request whose turn came before is written in them': {
    seed: 38,
    file: 'worker/line/line.ts',
    find: 'const mayWrite = (): boolean => quietTime(priority) === 0;',
    replace: 'const mayWrite = (): boolean => true;',
  },
  'quiet hours: their end wakes nobody': {
    file: 'worker/line/queue.ts',
    find: 'if (first === undefined) await whenLessQuiet();',
    replace: 'if (first === undefined) return;',
  },
};

export const mutants = { ...gateMutants, ...processMutants };

/**
 * Applies a mutant to a module's source when it is loaded, for all later imports of this thread.
 * @throws Error if the place does not occur exactly once
 */
export function applyMutant(name: string): void {
  const mutant = mutants[name];
  if (mutant === undefined) throw new Error(`no such mutant: ${name}. Known: ${Object.keys(mutants).join('; ')}`);
  replaceInSource(name, mutant);
}

/** Replaces a place in a module's source when it is loaded. @throws Error if the place does not occur exactly once */
export function replaceInSource(name: string, { file, find, replace }: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(`/${file}`)) return loaded;
      const source = String(loaded.source);
      if (source.split(find).length !== 2)
        throw new Error(`the place for "${name}" does not occur exactly once in ${file}`);
      return { ...loaded, source: source.replace(find, () => replace) };
    },
  });
}
