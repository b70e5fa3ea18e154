import { Context } from '@temporalio/activity';
import type { AccessLogCheckActivities } from '../../core/contract/access-log-check.ts';
import { type AccessLogCheck, addVerification, beginCheck } from '../../core/domain/access-log-check.ts';
import type { AccessAnchorsStore } from '../../core/stores/access-anchors.ts';
import type { AccessLogStore } from '../../core/stores/access-log.ts';
import type { AccessLogChecksStore } from '../../core/stores/access-log-checks.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface AccessLogCheckDeps {
  readonly accessLog: Pick<AccessLogStore, 'patientRefs' | 'verify' | 'read'>;
  readonly accessAnchors: Pick<AccessAnchorsStore, 'patientRefs'>;
  readonly accessLogChecks: Pick<AccessLogChecksStore, 'save'>;
  /** is called for each broken log when it is found; again if its page is repeated */
  readonly onBroken: () => void;
  /** is called at the end of a check */
  readonly onChecked: (check: AccessLogCheck) => void;
}

/** What attempts have done: the logs in the table, then those of which only anchors are left. */
interface Done {
  readonly check: AccessLogCheck;
  readonly part: 'table' | 'anchors';
  /** the last patient of this part that is done; absent at its start */
  readonly after?: string;
}

const logsAtOnce = 4; // nobody waits, and the access log serves people meanwhile
/** Milliseconds between two saves. */
const saveEveryMs = 10_000;

export const createAccessLogCheckActivities = (deps: AccessLogCheckDeps): AccessLogCheckActivities => ({
  async checkAccessLogs({ insurerId }) {
    const { accessLog, accessAnchors, accessLogChecks, onBroken, onChecked } = deps;
    const startedAt = new Date(Context.current().info.scheduledTimestampMs).toISOString(); // the same in each attempt
    const initial: Done = { check: beginCheck(startedAt), part: 'table' };
    await withHeartbeats<Done, void>(initial, async (attempt) => {
      const save = async (check: AccessLogCheck): Promise<void> => {
        attempt.writeGuard.check();
        await accessLogChecks.save(insurerId, check);
      };
      await save(attempt.done.check);
      let savedAtMs = performance.now();

      const verifyPages = async (
        part: Done['part'],
        pages: AsyncIterable<readonly string[]>,
        isDue: (patientRef: string) => Promise<boolean>,
      ): Promise<void> => {
        for await (const page of pages) {
          attempt.signal.throwIfAborted();
          let { check } = attempt.done;
          await forEachParallel(page, logsAtOnce, async (patientRef) => {
            if (!(await isDue(patientRef))) return;
            const found = await accessLog.verify(patientRef);
            check = addVerification(check, patientRef, found);
            if (!found.valid) onBroken();
          });
          const after = page.at(-1);
          attempt.report({ check, part, ...(after !== undefined && { after }) });
          if (performance.now() - savedAtMs < saveEveryMs) continue;
          await save(check);
          savedAtMs = performance.now();
        }
      };

      const { part, after } = attempt.done;
      if (part === 'table') {
        await verifyPages('table', accessLog.patientRefs(after), async () => true);
        attempt.report({ check: attempt.done.check, part: 'anchors' });
      }
      const hasNoEntries = async (patientRef: string) => (await accessLog.read(patientRef, 1)).entries.length === 0;
      await verifyPages('anchors', accessAnchors.patientRefs(part === 'anchors' ? after : undefined), hasNoEntries);
      const check: AccessLogCheck = {
        ...attempt.done.check,
        state: 'completed',
        finishedAt: new Date().toISOString(),
      };
      await save(check);
      onChecked(check);
    });
  },
});
