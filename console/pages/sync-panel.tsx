import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { isProblem, isSyncActive, useLastSync, useRequestSync } from '../api/queries.ts';
import type { LastSync } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { useLocale } from '../messages/locale.tsx';
import { describeReason } from '../messages/reasons.ts';

interface SyncPanelProps {
  readonly patientRef: string;
  /** The last sync from the patient's record, so that no further request is needed; null if no sync was requested. */
  readonly known?: LastSync | null;
}

/** Requests a sync, confirms immediately that it was accepted, and shows its state. */
export function SyncPanel({ patientRef, known }: SyncPanelProps) {
  const { t, formats } = useLocale();
  const client = useQueryClient();
  const lastSync = useLastSync(patientRef, known);
  const request = useRequestSync(patientRef);
  const { data: sync } = lastSync;
  const state = request.isPending ? 'asking' : sync?.state;
  const isOfPatient = known !== undefined;
  const wasInProgress = useRef(!isOfPatient); // the sync of somebody who was not stored may end before its first read
  const isInProgress = isSyncActive(sync);
  useEffect(() => {
    if (sync === undefined) return;
    const hasChangedPatient = isOfPatient || sync?.state === 'completed'; // otherwise nobody was stored, and nobody is
    if (wasInProgress.current && !isInProgress && hasChangedPatient)
      void client.invalidateQueries({ queryKey: ['patient', patientRef] });
    wasInProgress.current = isInProgress;
  }, [sync, isInProgress, isOfPatient, client, patientRef]);
  const isGone = isProblem(lastSync.error, 'patient-unknown');
  return (
    <section className="card" aria-labelledby="sync-title">
      <div className="card-head">
        <h2 id="sync-title">{t.sync.title}</h2>
        <Button
          kind="primary"
          isPending={request.isPending || isInProgress}
          isDisabled={isGone}
          onPress={() => request.mutate()}
        >
          {t.sync.now}
        </Button>
      </div>
      <div role="status" className="form">
        {state === undefined && lastSync.isSuccess && <p className="hint">{t.sync.never}</p>}
        {state !== undefined && (
          <p>
            <span className={`badge ${state}`} data-sync={state}>
              {t.sync.states[state]}
            </span>{' '}
            {sync && sync.requestedBy !== '' && (
              <small>
                {t.sync.by(sync.requestedBy, formats.moment(sync.requestedAt))}
                {sync.finishedAt !== undefined && `. ${t.sync.finished(formats.moment(sync.finishedAt))}`}
              </small>
            )}
          </p>
        )}
        {isInProgress && request.data?.syncId === sync?.syncId && <Notice kind="good">{t.sync.accepted}</Notice>}
        {isInProgress && sync?.line?.state === 'paused' && <Notice kind="warning">{t.sync.waitsForLine}</Notice>}
        {isInProgress && sync?.line?.state === 'open' && sync.line.cooldown && (
          <Notice kind="warning">
            {t.line.cooldown(formats.moment(sync.line.cooldown.until))}{' '}
            {t.line.cooldownReasons[sync.line.cooldown.reason]}
          </Notice>
        )}
        {isInProgress && sync?.line?.quietHours && (
          <Notice kind="warning">{t.sync.waitsForQuietHours(formats.moment(sync.line.quietHours.until))}</Notice>
        )}
        {state === 'not-insured' && <Notice kind="warning">{t.sync.notInsured}</Notice>}
        {state === 'unknown' && <Notice kind="warning">{t.sync.unknown}</Notice>}
        {state === 'completed' && sync?.provisional && <Notice kind="info">{t.patient.provisionalHint}</Notice>}
        {state === 'completed' && sync?.flags !== undefined && (
          <Notice kind="info">{t.sync.flags(describeReason(sync.flags, t))}</Notice>
        )}
        {state === 'failed' && sync?.error !== undefined && (
          <Notice kind="error">{t.sync.why(describeReason(sync.error, t))}</Notice>
        )}
      </div>
      <Problem error={request.error} />
      {isGone ? <Notice kind="warning">{t.patient.gone}</Notice> : <StaleNotice of={[lastSync]} />}
    </section>
  );
}
