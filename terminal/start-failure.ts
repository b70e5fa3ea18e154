/** A failure that the person at the terminal can fix. Its message is one line that says what to do. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

export const diskFull = 'the disk is full. Free some space, then start again (LOCAL_DIR sets where the data goes).';

/** Returns whether the output of a program says that the disk is full. Each program words it differently. */
export const isDiskFull = (printed: string): boolean =>
  /ENOSPC|No space left on device|Errno 28|disk is full/i.test(printed);

/** Returns one line for an error of any kind, without its stack trace. */
export function errorLine(error: unknown): string {
  if (error instanceof StartFailure) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return diskFull;
  if (code === 'EACCES' || code === 'EROFS')
    return `no permission to write ${(error as NodeJS.ErrnoException).path ?? 'there'}. Set LOCAL_DIR to a folder that you own.`;
  return error instanceof Error ? error.message : String(error);
}
