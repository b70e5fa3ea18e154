import { splitAnswerHere } from './answer-splitter.ts';

/** Takes one answer apart for the worker, with a heap of its own (taking-apart.ts). */
process.once('message', (body) => {
  process.send?.(splitAnswerHere(body as Uint8Array), () => process.disconnect());
});
