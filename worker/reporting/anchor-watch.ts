import type { AccessEntry } from '../../core/domain/access.ts';
import type { AccessAnchorsStore } from '../../core/stores/access-anchors.ts';

/** Watches whether the access entries of this worker get their anchors (docs/adr/0061). */
export interface AnchorWatch {
  /** Notes entries that this worker has appended. */
  note(entries: readonly AccessEntry[]): void;
  /** Returns for how many seconds entries of this worker have got no anchors; 0 if they get them. Fails after five seconds. */
  lagSeconds(): Promise<number>;
}

/** An entry normally waits some seconds for its anchor. */
const lateMs = 10 * 60_000;
/** The stream forgets an entry after a day. */
const lostMs = 24 * 3_600_000;
/** An S3 that hangs must not delay the other metrics, whose absence is an alarm. */
const readTimeoutMs = 5_000;

/**
 * Watches one entry at a time: the first one that is appended after the last one was found anchored. So it lists the anchors of
 * one patient every ten minutes at most, as long as they come. A stream or mapping that was switched off reports nothing by
 * itself.
 */
export function createAnchorWatch(
  anchors: Pick<AccessAnchorsStore, 'read'>,
  nowMs: () => number = () => performance.now(),
): AnchorWatch {
  let watched: { readonly entry: AccessEntry; readonly sinceMs: number } | undefined;
  /** the append of the first entry without an anchor, until another one has got its own */
  let lateSinceMs: number | undefined;
  return {
    note(entries) {
      const entry = entries.findLast(({ format }) => format !== undefined); // entries of 0.2.0 need no anchor
      if (entry !== undefined) watched ??= { entry, sinceMs: nowMs() };
    },
    async lagSeconds() {
      if (watched !== undefined && nowMs() - watched.sinceMs >= lateMs) {
        const { entry, sinceMs } = watched;
        const found = await anchors.read(entry.patientRef, { abortSignal: AbortSignal.timeout(readTimeoutMs) });
        const isAnchored = found.some(({ seq, hash }) => seq === entry.seq && hash === entry.hash);
        lateSinceMs = isAnchored ? undefined : (lateSinceMs ?? sinceMs);
        if (isAnchored || nowMs() - sinceMs >= lostMs) watched = undefined; // the next entry tells
      }
      return lateSinceMs === undefined ? 0 : Math.floor((nowMs() - lateSinceMs) / 1_000);
    },
  };
}
