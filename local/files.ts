import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file such that a reader finds the old one or the new one, never a part. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
  const written = `${file}.${process.pid}`;
  writeFileSync(written, text, { mode });
  renameSync(written, file);
}
