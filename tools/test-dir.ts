import { dirname, join, resolve } from 'node:path';

/** The folder in which checks and tests keep what they install and start. */
export const testDir = resolve(process.env['LOCAL_DIR'] ?? join(dirname(import.meta.dirname), '.local', 'test'));
