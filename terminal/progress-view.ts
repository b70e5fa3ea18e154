import type { ProgressNow } from '../core/temporal/daily-sync-client.ts';
import { progressBlock, progressLine } from './progress-lines.ts';

/** Shows a run's progress as it goes: redrawn in a terminal, else a line whenever something has changed. */
export interface ProgressView {
  show(progress: ProgressNow): void;
  /** other lines follow: what was drawn gives way to them, and is drawn anew below if it goes on */
  end(): void;
}

export function createProgressView(out: NodeJS.WriteStream): ProgressView {
  return out.isTTY ? terminalView(out) : plainView(out);
}

function terminalView(out: NodeJS.WriteStream): ProgressView {
  let drawn = 0;
  const toTop = (): string => (drawn > 0 ? `\r\x1b[${drawn}A` : '\r'); // \r: a typed key may stand there
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
