/** Something that whoever runs the stack can mend: the message is the one line that says what to do. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

/** The one line for an error of any kind, without a stack. */
export function explain(error: unknown): string {
  if (error instanceof StartFailure) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return 'the disk is full: free some space, then start again (LOCAL_DIR says where data goes)';
  if (code === 'EACCES' || code === 'EROFS')
    return `no right to write ${(error as NodeJS.ErrnoException).path ?? 'there'}: set LOCAL_DIR to a folder of yours`;
  return error instanceof Error ? error.message : String(error);
}
