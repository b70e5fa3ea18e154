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
    set(open: boolean): void {
      isOpen = open;
      for (const listener of listeners) listener();
    },
  };
}
const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => 'settled'), new Promise((resolve) => setImmediate(resolve, 'open'))])) ===
  'settled';

test('no slot is given while another process has the line, and at once when this process gets it', async () => {
  const control = newControl(false);
  const tap = createSlotSupplier(control, 2);
  const slot = tap.reserveSlot(context, never);
  expect(await isSettled(slot)).toBe(false);
  expect(tap.tryReserveSlot(context)).toBeNull();
  control.set(true);
  expect(await isSettled(slot)).toBe(true);
});

test('there are at most as many tasks as slots; the next slot is given when a task ends', async () => {
  const tap = createSlotSupplier(newControl(true), 2);
  const permit = await tap.reserveSlot(context, never);
  await tap.reserveSlot(context, never);
  const third = tap.reserveSlot(context, never);
  expect(await isSettled(third)).toBe(false);
  tap.releaseSlot({ permit });
  expect(await isSettled(third)).toBe(true);
  expect(tap.tryReserveSlot(context)).toBeNull();
});

test('a cancelled request for a slot gets none', async () => {
  const control = newControl(false);
  const tap = createSlotSupplier(control, 1);
  const abort = new AbortController();
  const slot = expect(tap.reserveSlot(context, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  abort.abort();
  await slot;
  control.set(true);
  expect(tap.tryReserveSlot(context)).not.toBeNull();
});
