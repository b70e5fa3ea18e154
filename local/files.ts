import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file such that a reader finds the old one or the new one, never a part. */
export function writeFileAtomically(file: string, text: string, mode = 0o644): void {
  const temporaryFile = `${file}.${process.pid}`;
  writeFileSync(temporaryFile, text, { mode });
  renameSync(temporaryFile, file);
}
