import type { AccessLogStore } from '../../core/stores/access-log.ts';

/** Wraps an access log: calls `onFailure` for each call that fails, and rethrows the error. */
export function watchAccessLog(accessLog: AccessLogStore, onFailure: () => void): AccessLogStore {
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
    append: watched(accessLog.append),
    appendFirst: watched(accessLog.appendFirst),
    read: watched(accessLog.read),
    readLinks: watched(accessLog.readLinks),
    verify: watched(accessLog.verify),
  };
}
