import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file atomically: a reader finds the old content or the new, never a part. */
export function writeFileAtomically(file: string, text: string, mode = 0o644): void {
  const temporaryFile = `${file}.${process.pid}`;
  writeFileSync(temporaryFile, text, { mode });
  renameSync(temporaryFile, file);
}
