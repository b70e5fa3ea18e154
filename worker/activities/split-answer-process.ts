import { splitAnswerInline } from './answer-splitter.ts';

/** Takes one answer apart for the worker, with a heap of its own (taking-apart.ts). */
process.once('message', (body) => {
  process.send?.(splitAnswerInline(body as Uint8Array), () => process.disconnect());
});
