import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useAcknowledge, useIssues, useRuns } from '../api/queries.ts';
import type { Issue, Progress } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { ReasonDialog } from '../components/reason-dialog.tsx';
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

type Acknowledged = '' | 'no' | 'yes';

interface Filter {
  readonly kind: Issue['kind'] | '';
  readonly acknowledged: Acknowledged;
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
  const [filter, setFilter] = useState<Filter>({ kind: '', acknowledged: '', text: '' });
  const [page, setPage] = useState(0);
  const applied = useDeferredValue(filter);
  const matching = useMemo(() => issues.filter((issue) => matchesFilter(issue, applied)), [issues, applied]);
  const groups = useMemo(() => countReasons(matching), [matching]);
  const pages = Math.max(1, Math.ceil(matching.length / perPage));
  const at = Math.min(page, pages - 1);
  const shown = matching.slice(at * perPage, (at + 1) * perPage);
  const open = shown.filter(isOpen);
  const acknowledge = useAcknowledge(runId);
  const acknowledging = (chosen: readonly Issue[]) => ({
    text: t.issues.acknowledgeText,
    confirm: t.issues.acknowledge,
    field: t.issues.note,
    onReason: (note: string) => acknowledge.mutate({ issueIds: [...new Set(chosen.map(({ id }) => id))], note }),
  });
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
          {t.issues.acknowledged}
          <select
            value={filter.acknowledged}
            onChange={({ target }) => choose({ acknowledged: target.value as Acknowledged })}
          >
            {Object.entries(t.issues.acknowledgedStates).map(([state, name]) => (
              <option key={state} value={state}>
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
      <Problem error={acknowledge.error} />
      {acknowledge.isSuccess && <Notice kind="good">{t.issues.acknowledgeDone}</Notice>}
      {open.length > 1 && (
        <div className="actions">
          <ReasonDialog
            {...acknowledging(open)}
            trigger={
              <Button isPending={acknowledge.isPending}>{t.issues.acknowledgePage(formats.count(open.length))}</Button>
            }
            title={t.issues.acknowledgeTitle(formats.count(open.length))}
          />
        </div>
      )}
      {matching.length > 0 && (
        <table className="grid stacking">
          <thead>
            <tr>
              <th scope="col">{t.issues.kind}</th>
              <th scope="col">{t.issues.reason}</th>
              <th scope="col">{t.issues.where}</th>
              <th scope="col">{t.issues.seen}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((issue, index) => (
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
                <td data-name={t.issues.seen}>
                  {issue.firstSeen !== undefined && (
                    <small className="block">
                      {t.issues.since(
                        formats.day(issue.firstSeen.slice(0, 10)),
                        formats.count(issue.runs ?? 1),
                        issue.runs ?? 1,
                      )}
                    </small>
                  )}
                  {issue.acknowledged && (
                    <small className="block">
                      {t.issues.acknowledgedBy(issue.acknowledged.by, formats.dateTime(issue.acknowledged.at))}:{' '}
                      <bdi>{issue.acknowledged.note}</bdi>
                    </small>
                  )}
                  {isOpen(issue) && (
                    <ReasonDialog
                      {...acknowledging([issue])}
                      trigger={<Button kind="quiet">{t.issues.acknowledge}</Button>}
                      title={t.issues.acknowledgeOneTitle}
                    />
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

/** Issues of older versions have no history, and cannot be acknowledged. */
const isOpen = ({ acknowledged, firstSeen }: Issue): boolean => acknowledged === undefined && firstSeen !== undefined;

const matchesFilter = ({ kind, description, acknowledged }: DescribedIssue, filter: Filter): boolean =>
  (filter.kind === '' || kind === filter.kind) &&
  (filter.acknowledged === '' || (acknowledged !== undefined) === (filter.acknowledged === 'yes')) &&
  description.toLowerCase().includes(filter.text.trim().toLowerCase());

/** Returns each description and its number of issues, most frequent first. */
function countReasons(issues: readonly DescribedIssue[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { description } of issues) counts.set(description, (counts.get(description) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** Positions count from 0; the page shows them from 1. */
const displayPosition = (position: number): number => position + 1;
