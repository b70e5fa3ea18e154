// Preloaded into a worker and its line process: shifts their wall clock by the ms in the file WALL_CLOCK_OFFSET_FILE, which is
// read again after 50 ms. A missing or incomplete file changes nothing.
import { readFileSync } from 'node:fs';

const file = process.env.WALL_CLOCK_OFFSET_FILE;
if (file !== undefined) {
  const RealDate = Date;
  let offsetMs = 0;
  let lookAgainAtMs = Number.NEGATIVE_INFINITY;

  const look = () => {
    const nowMs = performance.now();
    if (nowMs < lookAgainAtMs) return;
    lookAgainAtMs = nowMs + 50;
    try {
      const text = readFileSync(file, 'utf8').trim();
      if (/^-?\d+$/.test(text)) offsetMs = Number(text);
    } catch {
      // the file is not written yet
    }
  };
  const now = () => {
    look();
    return RealDate.now() + offsetMs;
  };

  globalThis.Date = new Proxy(RealDate, {
    apply: () => new RealDate(now()).toString(),
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
}
