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

test('no slot is given while another process has the line; one is given immediately when this process gets it', async () => {
  const control = newControl(false);
  const supplier = createSlotSupplier(control, 2);
  const slot = supplier.reserveSlot(context, never);
  expect(await isSettled(slot)).toBe(false);
  expect(supplier.tryReserveSlot(context)).toBeNull();
  control.set(true);
  expect(await isSettled(slot)).toBe(true);
});

test('there are at most as many tasks as slots; the next slot is given when a task ends', async () => {
  const supplier = createSlotSupplier(newControl(true), 2);
  const permit = await supplier.reserveSlot(context, never);
  await supplier.reserveSlot(context, never);
  const third = supplier.reserveSlot(context, never);
  expect(await isSettled(third)).toBe(false);
  supplier.releaseSlot({ permit });
  expect(await isSettled(third)).toBe(true);
  expect(supplier.tryReserveSlot(context)).toBeNull();
});

test('a cancelled request for a slot gets none', async () => {
  const control = newControl(false);
  const supplier = createSlotSupplier(control, 1);
  const abort = new AbortController();
  const slot = expect(supplier.reserveSlot(context, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
  abort.abort();
  await slot;
  control.set(true);
  expect(supplier.tryReserveSlot(context)).not.toBeNull();
});
