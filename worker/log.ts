/** Facts of a log line: counts, durations, states, patientRefs and codes. Never a KVNR, a name or data from the insurer. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  info(event: string, facts?: Facts): void;
  warn(event: string, facts?: Facts): void;
  error(event: string, facts?: Facts): void;
}

/** Creates a log that writes JSON lines to stdout. @param part the part of the system that logs */
export function createLog(
  part: string,
  write: (line: string) => void = (line) => void process.stdout.write(line),
): Log {
  const logAt =
    (level: 'info' | 'warn' | 'error') =>
    (event: string, facts: Facts = {}): void => {
      const fixed = { at: new Date().toISOString(), level, part, pid: process.pid, event };
      write(`${JSON.stringify({ ...fixed, ...facts, ...fixed })}\n`); // fixed fields come first, and facts cannot overwrite them
    };
  return { info: logAt('info'), warn: logAt('warn'), error: logAt('error') };
}

/** Describes an error by the names and codes of the error and its causes. Messages are left out: they can quote data. */
export function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error ? `:${String(error.code)}` : 'fault' in error ? `:${String(error.fault)}` : '';
  const cause = error.cause === undefined ? '' : ` < ${faultOf(error.cause)}`;
  return `${error.name}${code}${cause}`;
}
