import type { AccessLogStore } from '../../core/stores/access-log.ts';

/** The same log, with each call that fails told. */
export function watchAccessLog(accessLog: AccessLogStore, onFailure: () => void): AccessLogStore {
  const watched =
    <Arguments extends unknown[], Answer>(call: (...given: Arguments) => Promise<Answer>) =>
    async (...given: Arguments): Promise<Answer> => {
      try {
        return await call(...given);
      } catch (error) {
        onFailure();
        throw error;
      }
    };
  return {
    append: watched(accessLog.append),
    appendFirst: watched(accessLog.appendFirst),
    read: watched(accessLog.read),
    verify: watched(accessLog.verify),
  };
}
