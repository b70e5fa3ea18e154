import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useIssues, useRuns } from '../api/queries.ts';
import type { Issue, Progress } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { StaleNotice } from '../components/notice.tsx';
import { csvFile, saveFile } from '../components/save-file.ts';
import { useLocale } from '../messages/locale.tsx';
import { describeReason } from '../messages/reasons.ts';
import { hrefOf, navigateTo } from '../route.ts';
import { InsurerReport } from './insurer-report.tsx';

const perPage = 100;
const groupsShown = 8;

/** An issue with its reason in the user's language. */
interface DescribedIssue extends Issue {
  readonly description: string;
}

interface Filter {
  readonly kind: Issue['kind'] | '';
  readonly text: string;
}

/** @param runId defaults to the newest run, including a run that starts while the page is open */
export function IssuesPage({ runId }: { readonly runId: string | undefined }) {
  const { t } = useLocale();
  const query = useRuns();
  const runs = query.data?.pages.flatMap((page) => page.runs);
  const shown = runId ?? runs?.[0]?.runId;
  return (
    <>
      <section className="card" aria-labelledby="issues-title">
        <h1 id="issues-title">{t.issues.title}</h1>
        <p className="hint">{t.issues.lead}</p>
        <StaleNotice of={[query]} />
        {query.isPending && <p>{t.loading}</p>}
        {runs?.length === 0 && <p>{t.run.none}</p>}
        {runs !== undefined && runs.length > 0 && <RunChoice runId={runId} runs={runs} />}
        {shown !== undefined && <IssuesOfRun key={shown} runId={shown} />}
      </section>
      {shown !== undefined && <InsurerReport key={shown} runId={shown} />}
    </>
  );
}

interface RunChoiceProps {
  readonly runId: string | undefined;
  readonly runs: readonly Progress[];
}

function RunChoice({ runId, runs }: RunChoiceProps) {
  const { t, formats } = useLocale();
  return (
    <label className="field">
      {t.issues.run}
      <select
        value={runId ?? ''}
        onChange={({ target }) => navigateTo('issues', target.value === '' ? undefined : target.value)}
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

/** Loads all issues of one run, and shows a hundred at a time. */
function IssuesOfRun({ runId }: { readonly runId: string }) {
  const { t, formats } = useLocale();
  const query = useIssues(runId);
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const issues = useMemo(
    () =>
      data?.pages.flatMap((page) =>
        page.issues.map((issue) => ({ ...issue, description: describeReason(issue.reason, t) })),
      ) ?? [],
    [data, t],
  );
  return (
    <>
      <StaleNotice of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {data !== undefined && issues.length === 0 && !hasNextPage && <p>{t.issues.none}</p>}
      {issues.length > 0 && <IssueList issues={issues} runId={runId} isComplete={!hasNextPage} />}
      {hasNextPage && <p className="hint">{t.issues.loadedSoFar(formats.count(issues.length))}</p>}
    </>
  );
}

interface IssueListProps {
  readonly issues: readonly DescribedIssue[];
  readonly runId: string;
  /** All issues of the run are loaded. */
  readonly isComplete: boolean;
}

function IssueList({ issues, runId, isComplete }: IssueListProps) {
  const { t, formats } = useLocale();
  const text = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useState<Filter>({ kind: '', text: '' });
  const [page, setPage] = useState(0);
  const applied = useDeferredValue(filter);
  const matching = useMemo(() => issues.filter((issue) => matchesFilter(issue, applied)), [issues, applied]);
  const groups = useMemo(() => countReasons(matching), [matching]);
  const pages = Math.max(1, Math.ceil(matching.length / perPage));
  const at = Math.min(page, pages - 1);
  const choose = (change: Partial<Filter>) => {
    setFilter({ ...filter, ...change });
    setPage(0);
  };
  const where = ({ position, patientRef }: Issue): string =>
    patientRef ?? (position === undefined ? t.none : t.issues.entry(formats.count(displayPosition(position))));
  const save = () => {
    const header = [t.issues.kind, t.issues.reason, t.patient.ref, t.issues.position, t.issues.previousRef];
    const lines = matching.map(({ kind, description, patientRef, position, previousPatientRef }) => [
      t.issues.kinds[kind],
      description,
      patientRef,
      position === undefined ? undefined : displayPosition(position),
      previousPatientRef,
    ]);
    saveFile(`${t.issues.file}-${runId}.csv`, csvFile([header, ...lines], formats.csvSeparator));
  };
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
          <input
            ref={text}
            type="search"
            value={filter.text}
            onChange={({ target }) => choose({ text: target.value })}
          />
        </label>
        <div>
          <Button isDisabled={!isComplete} onPress={save}>
            {t.issues.csv}
          </Button>
          {!isComplete && <p className="hint">{t.issues.csvLater}</p>}
        </div>
      </div>
      {groups.length > 1 && (
        <>
          <h2>{t.issues.groups}</h2>
          <ul className="groups">
            {groups.slice(0, groupsShown).map(([words, count]) => (
              <li key={words}>
                <Button
                  onPress={() => {
                    choose({ text: words });
                    text.current?.focus(); // the groups, with this button, disappear
                  }}
                >
                  <bdi>{words}</bdi> <span className="number">{formats.count(count)}</span>
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
              // biome-ignore lint/suspicious/noArrayIndexKey: issues have no ID, and the rows of a page keep their order
              <tr key={index}>
                <td>{t.issues.kinds[issue.kind]}</td>
                <td data-name={t.issues.reason}>
                  <bdi>{issue.description}</bdi>
                </td>
                <td data-name={t.issues.where}>
                  {issue.kind !== 'care-records' || issue.patientRef === undefined ? (
                    <span className="code">{where(issue)}</span>
                  ) : (
                    <a className="code" href={hrefOf('patient', issue.patientRef)}>
                      {issue.patientRef}
                    </a>
                  )}
                  {issue.previousPatientRef !== undefined && (
                    <small className="block code">{t.issues.before(issue.previousPatientRef)}</small>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pages > 1 && <Pager page={at} pages={pages} onTurn={setPage} />}
    </>
  );
}

interface PagerProps {
  /** Counted from 0. */
  readonly page: number;
  readonly pages: number;
  readonly onTurn: (page: number) => void;
}

/** On the first and last page a button becomes disabled, so the focus moves to the page number. */
function Pager({ page, pages, onTurn }: PagerProps) {
  const { t, formats } = useLocale();
  const pageNumber = useRef<HTMLSpanElement>(null);
  const turn = (page: number) => {
    onTurn(page);
    if (page === 0 || page === pages - 1) pageNumber.current?.focus();
  };
  return (
    <div className="pager">
      <Button isDisabled={page === 0} onPress={() => turn(page - 1)}>
        {t.issues.previous}
      </Button>
      <span ref={pageNumber} tabIndex={-1}>
        {t.issues.page(formats.count(page + 1), formats.count(pages))}
      </span>
      <Button isDisabled={page === pages - 1} onPress={() => turn(page + 1)}>
        {t.issues.next}
      </Button>
    </div>
  );
}

const matchesFilter = ({ kind, description }: DescribedIssue, filter: Filter): boolean =>
  (filter.kind === '' || kind === filter.kind) && description.toLowerCase().includes(filter.text.trim().toLowerCase());

/** Returns each description and its number of issues, most frequent first. */
function countReasons(issues: readonly DescribedIssue[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { description } of issues) counts.set(description, (counts.get(description) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** Positions count from 0; the page shows them from 1. */
const displayPosition = (position: number): number => position + 1;
