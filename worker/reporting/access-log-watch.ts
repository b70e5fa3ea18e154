import type { AccessEntry } from '../../core/domain/access.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';

export interface AccessLogObserver {
  /** is called for each call that fails; the caller gets its error */
  readonly onFailure: () => void;
  readonly onAppended: (entries: readonly AccessEntry[]) => void;
}

/** Wraps an access log, and tells an observer what happens to its calls. */
export function watchAccessLog(
  accessLog: AccessLogStore,
  { onFailure, onAppended }: AccessLogObserver,
): AccessLogStore {
  const watched =
    <Arguments extends unknown[], Answer>(call: (...args: Arguments) => Promise<Answer>) =>
    async (...args: Arguments): Promise<Answer> => {
      try {
        return await call(...args);
      } catch (error) {
        onFailure();
        throw error;
      }
    };
  return {
    append: watched(async (patientRef, drafts) => {
      const entries = await accessLog.append(patientRef, drafts);
      onAppended(entries);
      return entries;
    }),
    appendFirst: watched(accessLog.appendFirst),
    read: watched(accessLog.read),
    readLinks: watched(accessLog.readLinks),
    verify: watched(accessLog.verify),
    patientRefs: accessLog.patientRefs, // nobody waits for them, and they are read again
  };
}
