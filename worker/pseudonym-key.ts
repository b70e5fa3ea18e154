import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../core/config.ts';
import { markOf } from '../core/crypto/pseudonyms.ts';
import type { SyncRunsStore } from '../core/stores/sync-runs.ts';
import { faultOf, type Log } from './log.ts';

export interface PseudonymKeyCheck {
  readonly syncRuns: Pick<SyncRunsStore, 'isPseudonymKey'>;
  readonly insurerId: string;
  readonly pseudonymKey: Buffer;
  readonly log: Log;
}

/** Interval in milliseconds between attempts to read the mark. */
const retryMs = 1_000;

/**
 * Checks that the stored pseudonyms were made with this key. With another key the next run would find all stored patients gone
 * and all listed patients new. Retries until the mark can be read.
 * @throws ConfigError if the key is another one
 */
export async function checkPseudonymKey({ syncRuns, insurerId, pseudonymKey, log }: PseudonymKeyCheck): Promise<void> {
  for (;;) {
    try {
      if (await syncRuns.isPseudonymKey(insurerId, markOf(pseudonymKey))) return;
      break;
    } catch (error) {
      log.warn('pseudonym key not checked', { fault: faultOf(error) });
      await sleep(retryMs);
    }
  }
  throw new ConfigError([
    'PSEUDONYM_KEY: is not the key that the stored pseudonyms were made with. Set the original key',
  ]);
}
