import type { ProgressNow } from '../core/temporal/daily-sync-client.ts';
import { progressBlock, progressLine } from './progress-lines.ts';

/** Shows the progress of a run. A terminal is redrawn in place; any other output gets a line after each change. */
export interface ProgressView {
  show(progress: ProgressNow): void;
  /** Clears what was drawn, so that other lines can follow. The next `show` draws below them. */
  end(): void;
}

export function createProgressView(out: NodeJS.WriteStream): ProgressView {
  return out.isTTY ? terminalView(out) : plainView(out);
}

function terminalView(out: NodeJS.WriteStream): ProgressView {
  let drawn = 0;
  const toTop = (): string => (drawn > 0 ? `\r\x1b[${drawn}A` : '\r'); // \r: the line may show a typed key
  return {
    show(progress) {
      const lines = progressBlock(progress, new Date(), (out.columns || 80) - 1);
      out.write(`${toTop()}${lines.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[J`);
      drawn = lines.length;
    },
    end() {
      out.write(`${toTop()}\x1b[J`);
      drawn = 0;
    },
  };
}

const plainEveryMs = 2_000;

function plainView(out: NodeJS.WriteStream): ProgressView {
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let shown = '';
  return {
    show(progress) {
      const facts = JSON.stringify({ ...progress, line: { ...progress.line, busy: false } });
      if (facts === shown || performance.now() - shownAtMs < plainEveryMs) return;
      shown = facts;
      shownAtMs = performance.now();
      out.write(`${progressLine(progress, new Date())}\n`);
    },
    end() {},
  };
}
