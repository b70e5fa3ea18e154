import { lazy, Suspense } from 'react';
import { flaggedIssuesMax } from '../../core/domain/issue.ts';
import { useRuns, useRunsOfDays } from '../api/queries.ts';
import type { Progress } from '../api/types.ts';
import { CareBar } from '../components/care-bar.tsx';
import { ErrorBoundary } from '../components/error-boundary.tsx';
import { LoadMore } from '../components/load-more.tsx';
import { StaleNotice } from '../components/notice.tsx';
import { RunState } from '../components/run-state.tsx';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';

const DaysChart = lazy(async () => await import('../components/days-chart.tsx'));
const chartDays = 30;

/** Draws the runs of the last 30 days, if there are at least two. */
function LastDays() {
  const { t } = useLocale();
  const { data: runs = [] } = useRunsOfDays(chartDays);
  if (runs.filter(({ finishedAt }) => finishedAt !== undefined).length < 2) return null;
  return (
    <ErrorBoundary resetKey="days" fallback={<p className="hint">{t.run.noChart}</p>}>
      <Suspense fallback={null}>
        <DaysChart runs={runs} />
      </Suspense>
    </ErrorBoundary>
  );
}

/** Lists the runs, newest first. */
export function RunsPage({ isOperator }: { readonly isOperator: boolean }) {
  const { t, formats } = useLocale();
  const query = useRuns();
  const runs = query.data?.pages.flatMap((page) => page.runs);
  return (
    <section className="card" aria-labelledby="runs-title">
      <h1 id="runs-title">{t.runs.title}</h1>
      <LastDays />
      <p className="hint">{t.runs.lead}</p>
      <StaleNotice of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {runs?.length === 0 && <p>{t.run.none}</p>}
      {runs !== undefined && runs.length > 0 && (
        <table className="grid stacking">
          <thead>
            <tr>
              <th scope="col">{t.run.startedAt}</th>
              <th scope="col">{t.runs.state}</th>
              <th scope="col">{t.run.duration}</th>
              <th scope="col">{t.run.patients}</th>
              <th scope="col">{t.run.care}</th>
              <th scope="col">{t.run.requests}</th>
              {isOperator && <th scope="col">{t.pages.issues}</th>}
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <tr key={run.runId}>
                <th scope="row">
                  <time dateTime={run.startedAt}>{formats.dateTime(run.startedAt)}</time>
                </th>
                <td data-name={t.runs.state}>
                  <RunState of={run} />
                  {run.state === 'failed' && (
                    <small className="block">{t.runs.failures[run.failure ?? 'list-unusable']}</small>
                  )}
                  {run.decisions?.map(({ listId, decision, by, removals, decidedAt }) => (
                    <small key={listId} className="block">
                      <time dateTime={decidedAt}>{formats.dateTime(decidedAt)}</time>:{' '}
                      {t.removals.made[decision](by, formats.count(removals))}
                    </small>
                  ))}
                  {run.cancellation && (
                    <small className="block">
                      <bdi>{run.cancellation.by}</bdi>: <bdi>{run.cancellation.reason}</bdi>
                    </small>
                  )}
                </td>
                <td data-name={t.run.duration} className="nowrap">
                  {run.finishedAt === undefined
                    ? t.none
                    : formats.duration((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000)}
                </td>
                <td data-name={t.run.patients}>
                  {formats.count(run.patients.listed)} {t.run.listed}
                  <small className="block">
                    {formats.count(run.patients.new)} {t.run.new}, {formats.count(run.patients.changed)} {t.run.changed}
                    , {formats.count(run.patients.removed)} {t.run.removed}
                  </small>
                </td>
                <td data-name={t.run.care} className="bar-cell">
                  <CareBar of={run.careRecords} />
                  <small className="block">
                    {formats.count(run.careRecords.done)} {t.run.careStates.done},{' '}
                    {formats.count(run.careRecords.failed)} {t.run.careStates.failed}
                  </small>
                  {run.refresh && (
                    <small className="block">
                      {t.run.refresh}: {formats.count(run.refresh.done)} {t.run.refreshCounts.done},{' '}
                      {formats.count(run.refresh.unchanged)} {t.run.refreshCounts.unchanged}
                    </small>
                  )}
                </td>
                <td data-name={t.run.requests}>
                  {formats.count(run.line.requests)}
                  <small className="block">
                    {formats.percent(run.line.failureRate)} {t.run.failureRate}
                  </small>
                </td>
                {isOperator && (
                  <td data-name={t.pages.issues}>
                    <a href={hrefOf('issues', run.runId)}>
                      {formats.count(countIssues(run))}
                      <span className="visually-hidden">
                        {' '}
                        {t.pages.issues}, {formats.dateTime(run.startedAt)}
                      </span>
                    </a>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <LoadMore of={query} />
    </section>
  );
}

/** An unusable list is one more issue. Of what is flagged, only the first 1 000 entries and care records are issues. */
const countIssues = ({ patients, careRecords, refresh, state, failure = 'list-unusable' }: Progress): number =>
  patients.quarantined +
  Math.min(patients.flagged ?? 0, flaggedIssuesMax) +
  (patients.kvnrChanged ?? 0) +
  careRecords.failed +
  Math.min(careRecords.flagged ?? 0, flaggedIssuesMax) +
  (refresh?.failed ?? 0) +
  Math.min(refresh?.flagged ?? 0, flaggedIssuesMax) +
  (state === 'failed' && failure === 'list-unusable' ? 1 : 0);
