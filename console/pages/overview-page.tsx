import { useLine, useProgress } from '../api/queries.ts';
import { Notice, StaleNotice } from '../components/notice.tsx';
import { useLocale } from '../messages/locale.tsx';
import { LinePanel } from './line-panel.tsx';
import { RemovalsPanel } from './removals-panel.tsx';
import { RunPanel } from './run-panel.tsx';

/** Shows the line, a pending decision and today's run. Operators can act on them, management cannot. */
export function OverviewPage({ isOperator }: { readonly isOperator: boolean }) {
  const { t } = useLocale();
  const line = useLine();
  const progress = useProgress();
  return (
    <>
      <h1 className="quiet-title">{isOperator ? t.pages.overview : t.pages.progress}</h1>
      <StaleNotice of={[line, progress]} />
      {progress.data?.stale && <Notice kind="warning">{t.stale.noWorker}</Notice>}
      {line.data === undefined ? (
        <Loading isPending={line.isPending} />
      ) : (
        <LinePanel line={line.data} isStale={line.isError} isOperator={isOperator} />
      )}
      {progress.data && isOperator && <RemovalsPanel progress={progress.data} />}
      {progress.data === undefined ? (
        <Loading isPending={progress.isPending} />
      ) : (
        <RunPanel progress={progress.data} isStale={progress.isError} isOperator={isOperator} />
      )}
    </>
  );
}

function Loading({ isPending }: { readonly isPending: boolean }) {
  const { t } = useLocale();
  return isPending ? <p className="loading">{t.loading}</p> : null;
}
