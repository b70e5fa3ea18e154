import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { StartFailure } from '../terminal/start-failure.ts';
import { howToDelete } from './earlier-data.ts';
import { writeFileAtomically } from './files.ts';

const keysFile = z.object({ PSEUDONYM_KEY: z.string(), PAYLOAD_KEYS: z.string() });
export type Keys = z.infer<typeof keysFile>;

/**
 * Reads the keys of the laptop, and creates them at the first start. Without them, stored patients and Temporal's
 * histories
 * are unreadable.
 * @throws StartFailure
 */
export function ensureKeys(file: string, isExternal: boolean): Keys {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    const key = () => randomBytes(32).toString('base64');
    writeFileAtomically(file, JSON.stringify({ PSEUDONYM_KEY: key(), PAYLOAD_KEYS: `local:${key()}` }), 0o600);
  }
  try {
    return keysFile.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const message = `${file} has no valid keys. Restore the file. Or delete it, and give up the data: ${howToDelete(isExternal)}`;
    throw new StartFailure(message, { cause: error });
  }
}
