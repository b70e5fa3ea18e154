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
  const place = useRef<HTMLElement>(null);
  const decide = useDecideRemovals();
  const asked = awaitingDecision ? decision : undefined;
  const { variables } = decide;
  const isOfRun = decide.isSuccess && variables?.runId === runId;
  const decided = isOfRun && (state === 'running' || variables.decision === 'reject') ? variables : undefined;
  if (asked === undefined && decided === undefined) return null;
  const act = (removals: number, wish: RemovalsDecision['decision']) =>
    decide.mutate({ runId, decision: wish, removals }, { onSuccess: () => place.current?.focus() });
  return (
    <section
      ref={place}
      tabIndex={-1}
      className={`card${asked === undefined ? '' : ' decision'}`}
      aria-labelledby="decision-title"
    >
      <h2 id="decision-title">{asked === undefined ? t.removals.decided : t.removals.title}</h2>
      {asked !== undefined && (
        <>
          <p>
            {t.removals.text(
              formats.count(asked.removals),
              formats.count(asked.stored),
              formats.percent(asked.stored === 0 ? 1 : asked.removals / asked.stored),
            )}
          </p>
          <div className="actions">
            <Button kind="primary" isPending={decide.isPending} onPress={() => act(asked.removals, 'reject')}>
              {t.removals.reject}
            </Button>
            <ConfirmDialog
              trigger={
                <Button kind="danger" isPending={decide.isPending}>
                  {t.removals.approve}
                </Button>
              }
              title={t.removals.approveTitle(formats.count(asked.removals), asked.removals)}
              text={t.removals.approveText}
              confirm={t.removals.approve}
              isDangerous
              onConfirm={() => act(asked.removals, 'approve')}
            />
          </div>
          <Problem error={decide.error} />
        </>
      )}
      {asked === undefined && decided !== undefined && (
        <Notice kind="good">{decided.decision === 'approve' ? t.removals.approved : t.removals.rejected}</Notice>
      )}
    </section>
  );
}
