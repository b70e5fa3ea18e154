import { splitAnswerInline } from './answer-splitter.ts';

// Splits one answer for the worker, with its own heap (answer-splitter.ts).
process.once('message', (body) => {
  process.send?.(splitAnswerInline(body as Uint8Array), () => process.disconnect());
});
