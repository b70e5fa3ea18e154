import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import { useIssues, useRuns } from '../api/queries.ts';
import type { Issue } from '../api/types.ts';
import { Button } from '../parts/button.tsx';
import { Freshness } from '../parts/notice.tsx';
import { csvLine, saveFile } from '../parts/save-file.ts';
import { goTo, hrefOf } from '../route.ts';
import { useLocale } from '../texts/locale.tsx';

const perPage = 100;
const groupsShown = 8;

interface Filter {
  readonly kind: Issue['kind'] | '';
  readonly text: string;
}

/** The issues of one run, all of them: read page after page, shown a hundred at a time. @param runId the newest when absent */
export function IssuesPage({ runId }: { readonly runId: string | undefined }) {
  const { t, formats } = useLocale();
  const query = useIssues(runId);
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const issues = useMemo(() => data?.pages.flatMap((page) => page.issues) ?? [], [data]);
  return (
    <section className="card" aria-labelledby="issues-title">
      <h1 id="issues-title">{t.issues.title}</h1>
      <p className="hint">{t.issues.lead}</p>
      <Freshness of={[query]} />
      <RunChoice runId={runId} />
      {query.isPending && <p>{t.loading}</p>}
      {data !== undefined && issues.length === 0 && !hasNextPage && <p>{t.issues.none}</p>}
      {issues.length > 0 && <IssueList key={runId} issues={issues} runId={runId} />}
      {hasNextPage && <p className="hint">{t.issues.counting(formats.count(issues.length))}</p>}
    </section>
  );
}

function RunChoice({ runId }: { readonly runId: string | undefined }) {
  const { t, formats } = useLocale();
  const runs = useRuns().data?.pages.flatMap((page) => page.runs) ?? [];
  return (
    <label className="field">
      {t.issues.run}
      <select
        value={runId ?? ''}
        onChange={({ target }) => goTo('issues', target.value === '' ? undefined : target.value)}
      >
        <option value="">{t.issues.newest}</option>
        {runId !== undefined && !runs.some((run) => run.runId === runId) && <option value={runId}>{runId}</option>}
        {runs.map((run) => (
          <option key={run.runId} value={run.runId}>
            {formats.dateTime(run.startedAt)} · {t.run.states[run.state]}
          </option>
        ))}
      </select>
    </label>
  );
}

interface IssueListProps {
  readonly issues: readonly Issue[];
  readonly runId: string | undefined;
}

function IssueList({ issues, runId }: IssueListProps) {
  const { t, formats } = useLocale();
  const [filter, setFilter] = useState<Filter>({ kind: '', text: '' });
  const [page, setPage] = useState(0);
  const applied = useDeferredValue(filter);
  const matching = useMemo(() => issues.filter((issue) => fits(issue, applied)), [issues, applied]);
  const groups = useMemo(() => mostFrequent(matching), [matching]);
  const pages = Math.max(1, Math.ceil(matching.length / perPage));
  const at = Math.min(page, pages - 1);
  const choose = (change: Partial<Filter>) => {
    setFilter({ ...filter, ...change });
    setPage(0);
  };
  const where = ({ position, patientRef }: Issue): string =>
    patientRef ?? (position === undefined ? t.none : t.issues.entry(formats.count(position + 1)));
  const wordsFor = (reason: string): string => t.issues.words[reason] ?? reason;
  return (
    <>
      <div className="filters">
        <label className="field">
          {t.issues.kind}
          <select value={filter.kind} onChange={({ target }) => choose({ kind: target.value as Filter['kind'] })}>
            <option value="">{t.issues.all}</option>
            {Object.entries(t.issues.kinds).map(([kind, name]) => (
              <option key={kind} value={kind}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          {t.issues.filter}
          <input type="search" value={filter.text} onChange={({ target }) => choose({ text: target.value })} />
        </label>
        <Button onPress={() => saveFile(`issues-${runId ?? 'newest'}.csv`, csvOf(matching))}>{t.issues.csv}</Button>
      </div>
      {groups.length > 1 && (
        <>
          <h2>{t.issues.groups}</h2>
          <ul className="groups">
            {groups.slice(0, groupsShown).map(([reason, count]) => (
              <li key={reason}>
                <Button onPress={() => choose({ text: reason })}>
                  <bdi>{wordsFor(reason)}</bdi> <span className="number">{formats.count(count)}</span>
                </Button>
              </li>
            ))}
          </ul>
        </>
      )}
      <p role="status">
        {matching.length === 0
          ? t.issues.noMatch
          : t.issues.shown(formats.count(matching.length), formats.count(issues.length))}
      </p>
      {matching.length > 0 && (
        <table className="grid stacking">
          <thead>
            <tr>
              <th scope="col">{t.issues.kind}</th>
              <th scope="col">{t.issues.reason}</th>
              <th scope="col">{t.issues.where}</th>
            </tr>
          </thead>
          <tbody>
            {matching.slice(at * perPage, (at + 1) * perPage).map((issue, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: entries have no ID, and a page's rows do not move
              <tr key={index}>
                <td>{t.issues.kinds[issue.kind]}</td>
                <td data-name={t.issues.reason}>
                  <bdi>{wordsFor(issue.reason)}</bdi>
                </td>
                <td data-name={t.issues.where}>
                  {issue.kind !== 'care-records' || issue.patientRef === undefined ? (
                    <span className="code">{where(issue)}</span>
                  ) : (
                    <a className="code" href={hrefOf('patient', issue.patientRef)}>
                      {issue.patientRef}
                    </a>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pages > 1 && (
        <div className="pager">
          <Button isDisabled={at === 0} onPress={() => setPage(at - 1)}>
            {t.issues.previous}
          </Button>
          <span>{t.issues.page(formats.count(at + 1), formats.count(pages))}</span>
          <Button isDisabled={at === pages - 1} onPress={() => setPage(at + 1)}>
            {t.issues.next}
          </Button>
        </div>
      )}
    </>
  );
}

const fits = ({ kind, reason }: Issue, filter: Filter): boolean =>
  (filter.kind === '' || kind === filter.kind) && reason.toLowerCase().includes(filter.text.trim().toLowerCase());

/** Reasons and how often each occurs, most frequent first. */
function mostFrequent(issues: readonly Issue[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { reason } of issues) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

const csvOf = (issues: readonly Issue[]): Blob =>
  new Blob(
    [
      '\ufeff', // or a spreadsheet takes it for another encoding
      csvLine(['kind', 'reason', 'patientRef', 'position']),
      ...issues.map(({ kind, reason, patientRef, position }) => csvLine([kind, reason, patientRef, position])),
    ],
    { type: 'text/csv;charset=utf-8' },
  );
