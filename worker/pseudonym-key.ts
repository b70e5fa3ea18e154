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

/** Between two tries to read the mark, ms. */
const retryMs = 1_000;

/**
 * Makes sure, for as long as that takes, that everything stored is named by this key: under another one the next run would find
 * everybody gone, and everybody new.
 * @throws ConfigError
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
  throw new ConfigError(['PSEUDONYM_KEY: is not the one by which everything that is stored is named']);
}
