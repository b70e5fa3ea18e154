/** Writes one line to stdout. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Writes a value to stdout as indented JSON. */
export const sayJson = (value: unknown): void => say(JSON.stringify(value, null, 2));
