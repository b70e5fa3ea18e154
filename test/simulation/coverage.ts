import type { Gate, GateEvent } from '../../core/domain/gate.ts';

/** The gate without names and numbers. */
export const stateOf = ({ holder, state, silent, holdMs, busy, untold }: Gate): string =>
  nameOf({
    isHeld: holder !== undefined,
    isPaused: state === 'paused',
    ...{ isSilent: silent, isBusy: busy, isHeldBack: holdMs > 0, isTold: untold.length === 0 },
  });

interface State {
  readonly isHeld: boolean;
  readonly isPaused: boolean;
  readonly isSilent: boolean;
  readonly isBusy: boolean;
  /** by a Retry-After */
  readonly isHeldBack: boolean;
  /** `insurerLine` knows of all changes */
  readonly isTold: boolean;
}

const nameOf = ({ isHeld, isPaused, isSilent, isBusy, isHeldBack, isTold }: State): string =>
  [
    isHeld ? 'held' : 'unheld',
    isPaused ? 'paused' : 'open',
    ...(isSilent ? ['silent'] : []),
    ...(isBusy ? ['busy'] : []),
    ...(isHeldBack ? ['Retry-After'] : []),
    ...(isTold ? [] : ['change not told']),
  ].join(', ');

const both = [false, true] as const;

/** All states that the gate's rules allow: only a paused line is silent, only one that is held and not silent is busy. */
export const allStates: readonly string[] = both.flatMap((isHeld) =>
  both.flatMap((isPaused) =>
    both.flatMap((isSilent) =>
      both.flatMap((isBusy) =>
        both.flatMap((isHeldBack) =>
          both.flatMap((isTold) => {
            const isAllowed =
              (!isSilent || isPaused) && (!isBusy || (isHeld && !isSilent)) && (isHeld || !isPaused || isSilent);
            return isAllowed ? [nameOf({ isHeld, isPaused, isSilent, isBusy, isHeldBack, isTold })] : [];
          }),
        ),
      ),
    ),
  ),
);

export type WriteKind = GateEvent['kind'] | 'make' | 'pause again';

/** What a write has done to the gate, from what the gate was before and after. */
export function writeOf(before: Gate | undefined, after: Gate): WriteKind {
  if (before === undefined) return 'make';
  if (before.state !== after.state) return after.state === 'paused' ? 'pause' : 'resume';
  if (before.changeNumber !== after.changeNumber) return 'pause again';
  if (before.holder !== after.holder) {
    if (after.holder !== undefined) return 'take';
    return before.state === 'paused' && !before.silent ? 'lapse' : 'release';
  }
  if (before.untold.length !== after.untold.length) return 'told';
  if (!before.silent && after.silent) return 'say-silent';
  return after.holdMs > before.holdMs ? 'hold' : 'renew';
}

export const allWrites: readonly WriteKind[] = [
  ...['make', 'take', 'renew', 'release', 'say-silent', 'lapse', 'hold', 'pause', 'pause again', 'resume', 'told'],
] as WriteKind[];
