import { useRef } from 'react';
import { type RemovalsDecision, useDecideRemovals } from '../api/queries.ts';
import type { Progress } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem } from '../components/notice.tsx';
import { ConfirmDialog } from '../components/reason-dialog.tsx';
import { useLocale } from '../messages/locale.tsx';

/** Asks for a decision about removals. Afterwards shows the decision in the same place until the run ends. */
export function RemovalsPanel({
  progress: { runId, state, awaitingDecision, decision },
}: {
  readonly progress: Progress;
}) {
  const { t, formats } = useLocale();
  const panel = useRef<HTMLElement>(null);
  const decide = useDecideRemovals();
  const pendingDecision = awaitingDecision ? decision : undefined;
  const { variables } = decide;
  const isOfRun = decide.isSuccess && variables?.runId === runId;
  const decided = isOfRun && (state === 'running' || variables.decision === 'reject') ? variables : undefined;
  if (pendingDecision === undefined && decided === undefined) return null;
  const submit = (listId: string, choice: RemovalsDecision['decision']) =>
    decide.mutate({ runId, decision: choice, listId }, { onSuccess: () => panel.current?.focus() });
  return (
    <section
      ref={panel}
      tabIndex={-1}
      className={`card${pendingDecision === undefined ? '' : ' decision'}`}
      aria-labelledby="decision-title"
    >
      <h2 id="decision-title">{pendingDecision === undefined ? t.removals.decided : t.removals.title}</h2>
      {pendingDecision !== undefined && (
        <>
          <p>
            {t.removals.text[pendingDecision.kind](
              formats.count(pendingDecision.removals),
              formats.count(pendingDecision.stored),
              formats.percent(pendingDecision.stored === 0 ? 1 : pendingDecision.removals / pendingDecision.stored),
            )}
          </p>
          <dl className="facts">
            <div>
              <dt>{t.removals.receivedAt[pendingDecision.kind]}</dt>
              <dd>
                <time dateTime={pendingDecision.receivedAt}>{formats.moment(pendingDecision.receivedAt)}</time>
              </dd>
            </div>
            <div>
              <dt>{t.removals.waitingSince}</dt>
              <dd>
                <time dateTime={pendingDecision.waitingSince}>{formats.moment(pendingDecision.waitingSince)}</time>
              </dd>
            </div>
            <div>
              <dt>{t.removals.why}</dt>
              <dd>{pendingDecision.reasons.map((reason) => t.removals.reasons[reason]).join('; ')}</dd>
            </div>
            <div>
              <dt>{t.removals.listId}</dt>
              <dd>
                <code>{pendingDecision.listId}</code>
              </dd>
            </div>
          </dl>
          <div className="actions">
            <Button
              kind="primary"
              isPending={decide.isPending}
              onPress={() => submit(pendingDecision.listId, 'reject')}
            >
              {t.removals.reject}
            </Button>
            <ConfirmDialog
              trigger={
                <Button kind="danger" isPending={decide.isPending}>
                  {t.removals.approve}
                </Button>
              }
              title={t.removals.approveTitle(formats.count(pendingDecision.removals), pendingDecision.removals)}
              text={t.removals.approveText}
              confirm={t.removals.approve}
              isDangerous
              onConfirm={() => submit(pendingDecision.listId, 'approve')}
            />
          </div>
          <Problem error={decide.error} />
        </>
      )}
      {pendingDecision === undefined && decided !== undefined && (
        <Notice kind="good">{decided.decision === 'approve' ? t.removals.approved : t.removals.rejected}</Notice>
      )}
    </section>
  );
}
