import { type Gate, type GateEvent, lineItself } from '../../core/domain/gate.ts';

/** Returns the name of a gate's state, without IDs and numbers. */
export const stateOf = ({ holder, state, silent, cooldownMs, busy, outbox }: Gate): string =>
  nameOf({
    isHeld: holder !== undefined,
    isPaused: state === 'paused',
    ...{ isSilent: silent, isBusy: busy, isInCooldown: cooldownMs > 0, isOutboxEmpty: outbox.length === 0 },
  });

interface State {
  readonly isHeld: boolean;
  readonly isPaused: boolean;
  readonly isSilent: boolean;
  readonly isBusy: boolean;
  /** in a Retry-After */
  readonly isInCooldown: boolean;
  /** whether `insurerLine` has acknowledged all changes */
  readonly isOutboxEmpty: boolean;
}

const nameOf = ({ isHeld, isPaused, isSilent, isBusy, isInCooldown, isOutboxEmpty }: State): string =>
  [
    isHeld ? 'held' : 'unheld',
    isPaused ? 'paused' : 'open',
    ...(isSilent ? ['silent'] : []),
    ...(isBusy ? ['busy'] : []),
    ...(isInCooldown ? ['Retry-After'] : []),
    ...(isOutboxEmpty ? [] : ['change not acknowledged']),
  ].join(', ');

const both = [false, true] as const;

/** All states that the gate's rules allow: only a paused line is silent, and only a held line that is not silent is busy. */
export const allStates: readonly string[] = both.flatMap((isHeld) =>
  both.flatMap((isPaused) =>
    both.flatMap((isSilent) =>
      both.flatMap((isBusy) =>
        both.flatMap((isInCooldown) =>
          both.flatMap((isOutboxEmpty) => {
            const isAllowed =
              (!isSilent || isPaused) && (!isBusy || (isHeld && !isSilent)) && (isHeld || !isPaused || isSilent);
            return isAllowed ? [nameOf({ isHeld, isPaused, isSilent, isBusy, isInCooldown, isOutboxEmpty })] : [];
          }),
        ),
      ),
    ),
  ),
);

export type WriteKind = GateEvent['kind'] | 'make' | 'pause again' | 'expire one of several';

/** Returns the kind of a write, from the gate before and after it. */
export function writeOf(before: Gate | undefined, after: Gate): WriteKind {
  if (before === undefined) return 'make';
  if (before.state !== after.state) {
    if (after.state === 'paused') return 'pause';
    return after.by === lineItself ? 'expire' : 'resume';
  }
  if (before.liftNumber !== after.liftNumber) return 'lift';
  if (before.pace?.since !== after.pace?.since) return 'pace';
  if (before.changeNumber !== after.changeNumber) return 'pause again';
  if (before.openReasons?.length !== after.openReasons?.length) return 'expire one of several';
  if (before.holder !== after.holder) {
    if (after.holder !== undefined) return 'take';
    return before.state === 'paused' && !before.silent ? 'lapse' : 'release';
  }
  if (before.outbox.length !== after.outbox.length) return 'acknowledge';
  if (!before.silent && after.silent) return 'say-silent';
  return after.cooldownMs > before.cooldownMs ? 'cooldown' : 'renew';
}

export const allWrites: readonly WriteKind[] = [
  ...[
    'make',
    'take',
    'renew',
    'release',
    'say-silent',
    'lapse',
    'cooldown',
    'pause',
    'pause again',
    'resume',
    'lift',
    'pace',
    'expire',
    'expire one of several',
    'acknowledge',
  ],
] as WriteKind[];
