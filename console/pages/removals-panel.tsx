import { useDecideRemovals } from '../api/queries.ts';
import type { Progress } from '../api/types.ts';
import { Button } from '../parts/button.tsx';
import { Problem } from '../parts/notice.tsx';
import { ConfirmDialog } from '../parts/reason-dialog.tsx';
import { useLocale } from '../texts/locale.tsx';

export function RemovalsPanel({
  decision: { removals, stored },
}: {
  readonly decision: NonNullable<Progress['decision']>;
}) {
  const { t, formats } = useLocale();
  const decide = useDecideRemovals();
  const many = formats.count(removals);
  return (
    <section className="card decision" aria-labelledby="decision-title">
      <h2 id="decision-title">{t.removals.title}</h2>
      <p>{t.removals.text(many, formats.count(stored), formats.percent(stored === 0 ? 1 : removals / stored))}</p>
      <div className="actions">
        <Button kind="primary" isPending={decide.isPending} onPress={() => decide.mutate('reject')}>
          {t.removals.reject}
        </Button>
        <ConfirmDialog
          trigger={
            <Button kind="danger" isPending={decide.isPending}>
              {t.removals.approve}
            </Button>
          }
          title={t.removals.approveTitle(many, removals)}
          text={t.removals.approveText}
          confirm={t.removals.approve}
          isDangerous
          onConfirm={() => decide.mutate('approve')}
        />
      </div>
      <Problem error={decide.error} />
    </section>
  );
}
