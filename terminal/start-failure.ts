/** Something that whoever runs the stack can mend: the message is the one line that says what to do. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

export const diskFull = 'the disk is full: free some space, then start again (LOCAL_DIR says where the data goes)';

/** Whether what a program has printed tells that the disk is full; each says so in words of its own. */
export const isDiskFull = (printed: string): boolean =>
  /ENOSPC|No space left on device|Errno 28|disk is full/i.test(printed);

/** The one line for an error of any kind, without a stack. */
export function errorLine(error: unknown): string {
  if (error instanceof StartFailure) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return diskFull;
  if (code === 'EACCES' || code === 'EROFS')
    return `no right to write ${(error as NodeJS.ErrnoException).path ?? 'there'}: set LOCAL_DIR to a folder of yours`;
  return error instanceof Error ? error.message : String(error);
}
