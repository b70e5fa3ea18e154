import { useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { useIssues, useRuns } from '../api/queries.ts';
import type { Issue, Progress } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Freshness } from '../components/notice.tsx';
import { csvFile, saveFile } from '../components/save-file.ts';
import { useLocale } from '../messages/locale.tsx';
import { wordsForReason } from '../messages/reasons.ts';
import { goTo, hrefOf } from '../route.ts';

const perPage = 100;
const groupsShown = 8;

/** An issue in the reader's words. */
interface ToldIssue extends Issue {
  readonly words: string;
}

interface Filter {
  readonly kind: Issue['kind'] | '';
  readonly text: string;
}

/** @param runId the newest run when absent: looked up, so that a run that begins meanwhile becomes the newest */
export function IssuesPage({ runId }: { readonly runId: string | undefined }) {
  const { t } = useLocale();
  const query = useRuns();
  const runs = query.data?.pages.flatMap((page) => page.runs);
  const shown = runId ?? runs?.[0]?.runId;
  return (
    <section className="card" aria-labelledby="issues-title">
      <h1 id="issues-title">{t.issues.title}</h1>
      <p className="hint">{t.issues.lead}</p>
      <Freshness of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {runs?.length === 0 && <p>{t.run.none}</p>}
      {runs !== undefined && runs.length > 0 && <RunChoice runId={runId} runs={runs} />}
      {shown !== undefined && <IssuesOfRun key={shown} runId={shown} />}
    </section>
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

/** The issues of one run, all of them: read page after page, shown a hundred at a time. */
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
        page.issues.map((issue) => ({ ...issue, words: wordsForReason(issue.reason, t) })),
      ) ?? [],
    [data, t],
  );
  return (
    <>
      <Freshness of={[query]} />
      {query.isPending && <p>{t.loading}</p>}
      {data !== undefined && issues.length === 0 && !hasNextPage && <p>{t.issues.none}</p>}
      {issues.length > 0 && <IssueList issues={issues} runId={runId} isWhole={!hasNextPage} />}
      {hasNextPage && <p className="hint">{t.issues.counting(formats.count(issues.length))}</p>}
    </>
  );
}

interface IssueListProps {
  readonly issues: readonly ToldIssue[];
  readonly runId: string;
  /** all of the run's are read */
  readonly isWhole: boolean;
}

function IssueList({ issues, runId, isWhole }: IssueListProps) {
  const { t, formats } = useLocale();
  const text = useRef<HTMLInputElement>(null);
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
    patientRef ?? (position === undefined ? t.none : t.issues.entry(formats.count(placeOf(position))));
  const save = () => {
    const header = [t.issues.kind, t.issues.reason, t.patient.ref, t.issues.position];
    const lines = matching.map(({ kind, words, patientRef, position }) => [
      t.issues.kinds[kind],
      words,
      patientRef,
      position === undefined ? undefined : placeOf(position),
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
          <Button isDisabled={!isWhole} onPress={save}>
            {t.issues.csv}
          </Button>
          {!isWhole && <p className="hint">{t.issues.csvLater}</p>}
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
                    text.current?.focus(); // the groups are about to go
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
              // biome-ignore lint/suspicious/noArrayIndexKey: entries have no ID, and a page's rows do not move
              <tr key={index}>
                <td>{t.issues.kinds[issue.kind]}</td>
                <td data-name={t.issues.reason}>
                  <bdi>{issue.words}</bdi>
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
      {pages > 1 && <Pager at={at} pages={pages} onTurn={setPage} />}
    </>
  );
}

interface PagerProps {
  /** from 0 */
  readonly at: number;
  readonly pages: number;
  readonly onTurn: (page: number) => void;
}

/** At either end one of its buttons can do no more: the focus goes to the word where one is. */
function Pager({ at, pages, onTurn }: PagerProps) {
  const { t, formats } = useLocale();
  const place = useRef<HTMLSpanElement>(null);
  const turn = (page: number) => {
    onTurn(page);
    if (page === 0 || page === pages - 1) place.current?.focus();
  };
  return (
    <div className="pager">
      <Button isDisabled={at === 0} onPress={() => turn(at - 1)}>
        {t.issues.previous}
      </Button>
      <span ref={place} tabIndex={-1}>
        {t.issues.page(formats.count(at + 1), formats.count(pages))}
      </span>
      <Button isDisabled={at === pages - 1} onPress={() => turn(at + 1)}>
        {t.issues.next}
      </Button>
    </div>
  );
}

const fits = ({ kind, words }: ToldIssue, filter: Filter): boolean =>
  (filter.kind === '' || kind === filter.kind) && words.toLowerCase().includes(filter.text.trim().toLowerCase());

/** Reasons in words and how often each occurs, most frequent first. */
function mostFrequent(issues: readonly ToldIssue[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { words } of issues) counts.set(words, (counts.get(words) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** People count the entries of a list from 1. */
const placeOf = (position: number): number => position + 1;
