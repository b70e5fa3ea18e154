import { useLine, useProgress } from '../api/queries.ts';
import { Freshness, Notice } from '../components/notice.tsx';
import { useLocale } from '../messages/locale.tsx';
import { LinePanel } from './line-panel.tsx';
import { RemovalsPanel } from './removals-panel.tsx';
import { RunPanel } from './run-panel.tsx';

/** The line, a decision that waits, and today's run: an operator acts on them, management watches. */
export function OverviewPage({ isOperator }: { readonly isOperator: boolean }) {
  const { t } = useLocale();
  const line = useLine();
  const progress = useProgress();
  return (
    <>
      <h1 className="quiet-title">{isOperator ? t.pages.overview : t.pages.progress}</h1>
      <Freshness of={[line, progress]} />
      {progress.data?.stale && <Notice kind="warning">{t.stale.noWorker}</Notice>}
      {line.data === undefined ? (
        <Waiting isPending={line.isPending} />
      ) : (
        <LinePanel line={line.data} isOld={line.isError} isOperator={isOperator} />
      )}
      {progress.data && isOperator && <RemovalsPanel progress={progress.data} />}
      {progress.data === undefined ? (
        <Waiting isPending={progress.isPending} />
      ) : (
        <RunPanel progress={progress.data} isOld={progress.isError} isOperator={isOperator} />
      )}
    </>
  );
}

function Waiting({ isPending }: { readonly isPending: boolean }) {
  const { t } = useLocale();
  return isPending ? <p className="waiting">{t.loading}</p> : null;
}
