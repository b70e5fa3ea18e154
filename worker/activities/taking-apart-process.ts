import { takeApartHere } from './taking-apart.ts';

/** Takes one answer apart for the worker, with a heap of its own (taking-apart.ts). */
process.once('message', (body) => {
  process.send?.(takeApartHere(body as Uint8Array), () => process.disconnect());
});
