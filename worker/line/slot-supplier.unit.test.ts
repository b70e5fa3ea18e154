import { expect, test } from 'vitest';
import { createSlotSupplier } from './slot-supplier.ts';

const context = {
  slotType: 'activity',
  taskQueue: 'insurer-line',
  workerIdentity: 'test',
  workerBuildId: '',
  isSticky: false,
} as const;
const never = new AbortController().signal;

function newControl(isOpen: boolean) {
  const listeners = new Set<() => void>();
  return {
    isOpen: () => isOpen,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    turn(open: boolean): void {
      isOpen = open;
      for (const listener of listeners) listener();
    },
  };
}
const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => 'settled'), new Promise((resolve) => setImmediate(resolve, 'open'))])) ===
  'settled';

test('no task is asked for while another process has the line, and at once when it is ours', async () => {
  const control = newControl(false);
  const tap = createSlotSupplier(control, 2);
  const slot = tap.reserveSlot(context, never);
  expect(await isSettled(slot)).toBe(false);
  expect(tap.tryReserveSlot(context)).toBeNull();
  control.turn(true);
  expect(await isSettled(slot)).toBe(true);
});

test('there are no more tasks at once than slots; the next is asked for when one ends', async () => {
  const tap = createSlotSupplier(newControl(true), 2);
  const permit = await tap.reserveSlot(context, never);
  await tap.reserveSlot(context, never);
  const third = tap.reserveSlot(context, never);
  expect(await isSettled(third)).toBe(false);
  tap.releaseSlot({ permit });
  expect(await isSettled(third)).toBe(true);
  expect(tap.tryReserveSlot(context)).toBeNull();
});

test('a slot that is not needed any more is not handed out', async () => {
  const control = newControl(false);
  const tap = createSlotSupplier(control, 1);
  const abort = new AbortController();
  const slot = expect(tap.reserveSlot(context, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  abort.abort();
  await slot;
  control.turn(true);
  expect(tap.tryReserveSlot(context)).not.toBeNull();
});
