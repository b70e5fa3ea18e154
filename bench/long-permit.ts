import { systemClock } from '../core/clock.ts';
import { SendPermit } from '../worker/line/send-permit.ts';

/** Returns a send permit under a lease that outlasts the benchmark. */
export function longPermit(): SendPermit {
  const permit = new SendPermit({
    tell: (message) => {
      if (message.kind === 'pause-by-system') queueMicrotask(() => permit.confirmPause(message.pauseId));
    },
    writeCooldown: async () => 0,
    pauseGraceMs: 2_000,
    lineMinGapMs: 50,
    onStuck: () => {},
    onLeaseLost: () => {},
  });
  const sendUntilMs = systemClock.monotonicMs() + 3_600_000;
  permit.obey({
    kind: 'order',
    number: 1,
    sendUntilMs,
    leaseNumber: Date.now(),
    isPaused: false,
    cooldownUntilMs: 0,
    liftNumber: 0,
    mustStop: false,
  });
  return permit;
}
