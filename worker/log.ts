/** Facts are counts, durations, states, patientRefs, kinds: never a KVNR, a name, or anything the insurer sent. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  info(event: string, facts?: Facts): void;
  warn(event: string, facts?: Facts): void;
  error(event: string, facts?: Facts): void;
}

/** JSON lines on stdout. @param part which part speaks */
export function createLog(
  part: string,
  write: (line: string) => void = (line) => void process.stdout.write(line),
): Log {
  const say =
    (level: 'info' | 'warn' | 'error') =>
    (event: string, facts: Facts = {}): void => {
      const fixed = { at: new Date().toISOString(), level, part, pid: process.pid, event };
      write(`${JSON.stringify({ ...fixed, ...facts, ...fixed })}\n`); // first in the line, and not to be overwritten
    };
  return { info: say('info'), warn: say('warn'), error: say('error') };
}

/** An error as a log may name it: name and code along the causes. Messages stay out, because they can quote data. */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error ? `:${String(error.code)}` : 'fault' in error ? `:${String(error.fault)}` : '';
  const cause = error.cause === undefined ? '' : ` < ${faultOf(error.cause)}`;
  return `${error.name}${code}${cause}`;
}
