import { quietStatusOfPeople } from '../../core/domain/line-status.ts';
import { isInProgress } from '../../core/domain/patient.ts';
import type { Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';

export const readLastSync: Handler<'readLastSync'> = async ({ patientRef }, { patientRecord, insurerLine, config }) => {
  const patient = await patientRecord.readLastSync(patientRef);
  if (patient === undefined) throw new Problem('patient-unknown');
  const { lastSync, isProvisional } = patient;
  if (lastSync === undefined) throw new Problem('no-sync-yet');
  const line = isInProgress(lastSync) ? await insurerLine.read().catch(() => undefined) : undefined; // irrelevant once the sync has ended
  return {
    body: {
      ...lastSync,
      ...(isProvisional && { provisional: true as const }),
      ...(line && {
        line: {
          state: line.state,
          ...(line.until && { until: line.until }),
          ...(line.cooldown && { cooldown: line.cooldown }),
          ...quietStatusOfPeople(config, Date.now()),
        },
      }),
    },
    entity: { kind: 'sync', id: lastSync.syncId },
  };
};
