import type { ActivitySlotInfo, CustomSlotSupplier, SlotPermit } from '@temporalio/worker';
import type { Priority } from '../../core/domain/line.ts';
import type { QuietTime } from './quiet-time.ts';

/** Says whether tasks may be taken. SendPermit implements it. */
export interface SlotControl {
  isOpen(): boolean;
  /** Calls the listener whenever isOpen may have changed. @returns removes the listener */
  onChange(listener: () => void): () => void;
}

/**
 * Returns the control of one queue, which also takes no tasks in quiet hours. Their end is noticed at the next change of the
 * permit: the keeper's orders come four times a second.
 */
export const outsideQuietHours = (control: SlotControl, priority: Priority, quietTime: QuietTime): SlotControl => ({
  isOpen: () => control.isOpen() && quietTime(priority) === 0,
  onChange: (listener) => control.onChange(listener),
});

/**
 * Creates a slot supplier that gives slots only while this process holds the open line. Without a slot, a Temporal worker
 * does not poll (docs/explanation/the-line.md, "Tasks only for the holder").
 * @param slots maximum number of concurrent tasks
 */
export function createSlotSupplier(control: SlotControl, slots: number): CustomSlotSupplier<ActivitySlotInfo> {
  let slotsInUse = 0;
  const waiting = new Set<() => void>();
  const reserve = (): SlotPermit | null => {
    if (slotsInUse >= slots || !control.isOpen()) return null;
    slotsInUse += 1;
    return {};
  };
  const retryWaiting = (): void => {
    for (const tryReserve of [...waiting]) tryReserve();
  };
  control.onChange(retryWaiting);
  return {
    type: 'custom',
    reserveSlot: (_context, abortSignal) =>
      new Promise((resolve, reject) => {
        const settle = (end: () => void): void => {
          waiting.delete(tryReserve);
          abortSignal.removeEventListener('abort', abort);
          end();
        };
        const abort = (): void => settle(() => reject(abortSignal.reason));
        const tryReserve = (): void => {
          const permit = reserve();
          if (permit !== null) settle(() => resolve(permit));
        };
        if (abortSignal.aborted) return abort();
        abortSignal.addEventListener('abort', abort, { once: true });
        waiting.add(tryReserve);
        tryReserve();
      }),
    tryReserveSlot: reserve,
    markSlotUsed: () => {},
    releaseSlot: () => {
      slotsInUse -= 1;
      retryWaiting();
    },
  };
}
