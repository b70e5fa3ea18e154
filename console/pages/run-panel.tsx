import { lazy, Suspense, useState } from 'react';
import { phases } from '../../core/domain/progress.ts';
import { useCancelRun, useStartRun } from '../api/queries.ts';
import type { Progress, Transfer } from '../api/types.ts';
import { useChartSamples } from '../chart-samples.ts';
import { Button } from '../components/button.tsx';
import { CareBar } from '../components/care-bar.tsx';
import { ErrorBoundary } from '../components/error-boundary.tsx';
import { Notice, Problem, StaleBadge } from '../components/notice.tsx';
import { ProgressBar } from '../components/progress-bar.tsx';
import { QualityFacts } from '../components/quality-facts.tsx';
import { ReasonDialog } from '../components/reason-dialog.tsx';
import { RunState } from '../components/run-state.tsx';
import type { Messages } from '../messages/de.ts';
import type { Formats } from '../messages/formats.ts';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';

/** What is shown of the patients, in this order. */
const patientCounts = [
  'listed',
  'new',
  'changed',
  'removed',
  'unchanged',
  'provisional',
  'kvnrChanged',
  'flagged',
  'quarantined',
] as const;

const RunChart = lazy(async () => await import('../components/run-chart.tsx'));

interface RunPanelProps {
  /** null before the first run. */
  readonly progress: Progress | null;
  /** The API does not answer, so this is the last known state. */
  readonly isStale: boolean;
  readonly isOperator: boolean;
}

export function RunPanel({ progress, isStale, isOperator }: RunPanelProps) {
  const { t } = useLocale();
  const start = useStartRun();
  const cancel = useCancelRun();
  const isRunning = progress?.state === 'running';
  const isRefreshing = progress?.state !== 'running' && progress?.refresh?.state === 'running';
  const stop = isRefreshing
    ? { title: t.run.stopRefreshTitle, text: t.run.stopRefreshText, confirm: t.run.stopRefresh }
    : { title: t.run.cancelTitle, text: t.run.cancelText, confirm: t.run.cancel };
  /** The run that was running when the start was requested. */
  const [seen, setSeen] = useState<string>();
  const started = isRunning && start.data?.runId === progress.runId ? start.data.runId : undefined;
  return (
    <section className={`card${isStale ? ' stale' : ''}`} aria-labelledby="run-title">
      <div className="card-head">
        <h2 id="run-title">
          {progress ? <RunTitle of={progress} /> : t.run.title} <StaleBadge isOld={isStale} />
        </h2>
        {isOperator && (
          <div className="actions">
            <Button
              kind={isRunning ? 'plain' : 'primary'}
              isPending={start.isPending}
              onPress={() => {
                cancel.reset();
                setSeen(isRunning ? progress.runId : undefined);
                start.mutate();
              }}
            >
              {isRunning ? t.run.fetchNewList : t.run.start}
            </Button>
            {(isRunning || isRefreshing) && (
              <ReasonDialog
                trigger={
                  <Button kind="quiet" isPending={cancel.isPending}>
                    {stop.confirm}
                  </Button>
                }
                {...stop}
                isDangerous
                onReason={(reason) => {
                  start.reset();
                  cancel.mutate({ runId: progress.runId, reason });
                }}
              />
            )}
          </div>
        )}
      </div>
      <Problem error={start.error ?? cancel.error} />
      {started !== undefined && <Notice kind="good">{started === seen ? t.run.joined : t.run.started}</Notice>}
      {cancel.isSuccess && isRunning && cancel.variables.runId === progress.runId && (
        <Notice kind="info">{t.run.cancelling}</Notice>
      )}
      {progress ? <RunFacts progress={progress} /> : <p>{t.run.none}</p>}
      {isOperator && progress && (
        <p>
          <a href={hrefOf('issues', progress.runId)}>{t.run.issues}</a>
        </p>
      )}
    </section>
  );
}

/** A run may last for days, so the title of an older run has its start time. */
function RunTitle({ of: run }: { readonly of: Progress }) {
  const { t, formats } = useLocale();
  const isOfToday = new Date(run.startedAt).toDateString() === new Date().toDateString();
  const running = isOfToday ? t.run.today : t.run.since(formats.moment(run.startedAt));
  return (
    <>
      {run.state === 'running' ? running : t.run.last} <RunState of={run} />
    </>
  );
}

function RunFacts({ progress }: { readonly progress: Progress }) {
  const { t, formats } = useLocale();
  const samples = useChartSamples(progress);
  const { patients, careRecords, line, cancellation } = progress;
  const finished = careRecords.done + careRecords.failed + careRecords.notInsured;
  const isNothing = careRecords.total === 0 && progress.state !== 'running';
  const care = isNothing ? t.run.careNothing : t.run.careOf(formats.count(finished), formats.count(careRecords.total));
  return (
    <>
      {cancellation && (
        <p>
          {t.run.cancelledBy(cancellation.by)}: <bdi>{cancellation.reason}</bdi>
        </p>
      )}
      <Steps progress={progress} />
      <Refresh of={progress.refresh} />
      <div className="tiles">
        {progress.transfers?.map((transfer) => (
          <TransferTile key={`${transfer.kind} ${transfer.since}`} of={transfer} />
        ))}
        <Tile name={t.run.care} value={care} isWide>
          <CareBar of={careRecords} isWithLegend />
          {(careRecords.flagged ?? 0) > 0 && (
            <small>{t.run.careFlagged(formats.count(careRecords.flagged ?? 0))}</small>
          )}
          <CareAge of={progress.careRecordsAge} />
        </Tile>
        <Times progress={progress} />
        <Tile name={t.run.rate} value={t.run.perMinute(formats.decimal(progress.ratePerMinute))} />
        <Tile name={t.run.requests} value={formats.count(line.requests)}>
          {formats.percent(line.failureRate)} {t.run.failureRate}
        </Tile>
      </div>
      <h3>{t.run.patients}</h3>
      <dl className="counts">
        {patientCounts.map((name) => (
          <div key={name}>
            <dt>{t.run[name]}</dt>
            <dd>{formats.count(patients[name] ?? 0)}</dd>
          </div>
        ))}
      </dl>
      {progress.quality && <QualityFacts of={progress.quality} />}
      {samples.length > 1 && (
        <ErrorBoundary resetKey={progress.runId} fallback={<p className="hint">{t.run.noChart}</p>}>
          <Suspense fallback={null}>
            <RunChart samples={samples} />
          </Suspense>
        </ErrorBoundary>
      )}
      <Faults faults={line.faults} />
    </>
  );
}

function Steps({ progress: { phase, state } }: { readonly progress: Progress }) {
  const { t } = useLocale();
  const at = phases.indexOf(phase);
  const isOver = phase === 'done';
  return (
    <ol className="steps" aria-label={t.run.steps}>
      {phases
        .filter((each) => each !== 'done')
        .map((each, index) => {
          const step = isOver || index < at ? 'past' : index > at ? 'next' : state === 'running' ? 'now' : 'stopped';
          const stepLabels = {
            past: t.run.stepDone,
            now: t.run.stepNow,
            next: t.run.stepNext,
            stopped: t.run.states[state],
          };
          return (
            <li key={each} className={step} {...(step === 'now' && { 'aria-current': 'step' as const })}>
              <span className="dot" aria-hidden="true">
                {step === 'past' ? '✓' : index + 1}
              </span>
              <span>
                {t.run.phases[each]}
                <small>{stepLabels[step]}</small>
              </span>
            </li>
          );
        })}
    </ol>
  );
}

function Times({ progress: { startedAt, finishedAt, state, etaSeconds } }: { readonly progress: Progress }) {
  const { t, formats } = useLocale();
  const endMs = finishedAt === undefined ? Date.now() : Date.parse(finishedAt);
  const duration = formats.duration((endMs - Date.parse(startedAt)) / 1000);
  return (
    <>
      <Tile name={t.run.duration} value={duration}>
        {t.run.startedAt} {formats.moment(startedAt)}
        {finishedAt !== undefined && (
          <>
            <br />
            {t.run.finishedAt} {formats.moment(finishedAt)}
          </>
        )}
      </Tile>
      {state === 'running' && (
        <Tile name={t.run.timeLeft} value={etaSeconds === undefined ? t.none : formats.duration(etaSeconds)} />
      )}
    </>
  );
}

/** A measurement is made every two seconds. One of this age in ms is old: no worker has the line. */
const oldMeasurementMs = 60_000;

/** Shows a fetch that takes long: its bytes, of how many if that is known, its rate and its requests. */
function TransferTile({ of: transfer }: { readonly of: Transfer }) {
  const { t, formats } = useLocale();
  const { kind, since, measuredAt, receivedBytes, totalBytes, isCompressed, bytesPerSecond, secondsLeft } = transfer;
  const received = formats.bytes(receivedBytes);
  const percent = totalBytes === undefined ? undefined : totalBytes === 0 ? 100 : (100 * receivedBytes) / totalBytes;
  const isOld = Date.now() - Date.parse(measuredAt) > oldMeasurementMs;
  const facts = [
    t.run.transferRate(formats.bytes(bytesPerSecond)),
    ...(secondsLeft === undefined ? [] : [t.run.transferLeft(formats.duration(secondsLeft))]),
    t.run.transferSince(formats.moment(since)),
    ...(isCompressed ? [t.run.transferCompressed] : []),
  ];
  return (
    <Tile
      name={t.run.transfers[kind]}
      value={totalBytes === undefined ? received : t.run.transferOf(received, formats.bytes(totalBytes))}
      isWide
    >
      {percent !== undefined && <ProgressBar label={t.run.transfers[kind]} percent={percent} />}
      <p>{facts.join(' · ')}</p>
      <p>
        {t.run.transferRequests(formats.count(transfer.requests), formats.count(transfer.failures))}
        {transfer.failures > 0 && ` (${faultList(transfer.faults, t, formats)})`}
      </p>
      {isOld && <p>{t.run.transferOld(formats.moment(measuredAt))}</p>}
    </Tile>
  );
}

/** Returns the kinds of failures with their counts, most frequent first. */
const faultList = (faults: Transfer['faults'], t: Messages, formats: Formats): string =>
  sortedFaults(faults)
    .map(([fault, count]) => `${t.run.faultKinds[fault]} ${formats.count(count)}`)
    .join(', ');

const sortedFaults = (faults: Transfer['faults']) =>
  (Object.entries(faults) as [keyof Transfer['faults'], number][])
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
const refreshCounts = ['pending', 'done', 'unchanged', 'failed', 'removed', 'held'] as const;

/** Shows the refresh that follows a run, apart from the care records of new patients. */
function Refresh({ of: refresh }: { readonly of: Progress['refresh'] }) {
  const { t, formats } = useLocale();
  if (refresh === undefined) return null;
  const { state, cancellation } = refresh;
  return (
    <>
      <h3>
        {t.run.refresh}: {t.run.refreshStates[state]}
      </h3>
      {cancellation && (
        <p>
          {t.run.refreshStoppedBy(cancellation.by)}: <bdi>{cancellation.reason}</bdi>
        </p>
      )}
      <dl className="counts">
        {refreshCounts
          .filter((name) => refresh[name] !== undefined)
          .map((name) => (
            <div key={name}>
              <dt>{t.run.refreshCounts[name]}</dt>
              <dd>{formats.count(refresh[name] ?? 0)}</dd>
            </div>
          ))}
      </dl>
    </>
  );
}

/** Shows how old the stored care records were at the last count. */
function CareAge({ of: age }: { readonly of: Progress['careRecordsAge'] }) {
  const { t, formats } = useLocale();
  if (age === undefined) return null;
  const { oldestDays, medianDays, unknown } = age;
  return (
    <>
      {oldestDays !== undefined && medianDays !== undefined && (
        <small className="block">{t.run.careAge(formats.count(oldestDays), formats.count(medianDays))}</small>
      )}
      {unknown > 0 && <small className="block">{t.run.careAgeUnknown(formats.count(unknown))}</small>}
    </>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly isWide?: boolean;
  readonly children?: React.ReactNode;
}

const Tile = ({ name, value, isWide = false, children }: TileProps) => (
  <div className={`tile${isWide ? ' wide' : ''}`}>
    <h3>{name}</h3>
    <p className="value">{value}</p>
    {children !== undefined && <div className="tile-detail">{children}</div>}
  </div>
);

function Faults({ faults }: { readonly faults: Progress['line']['faults'] }) {
  const { t, formats } = useLocale();
  const sorted = sortedFaults(faults);
  const highest = sorted[0]?.[1] ?? 1;
  if (sorted.length === 0) return null;
  return (
    <details>
      <summary>{t.run.faults}</summary>
      <table className="bars">
        <tbody>
          {sorted.map(([fault, count]) => (
            <tr key={fault}>
              <th scope="row">{t.run.faultKinds[fault]}</th>
              <td className="number">{formats.count(count)}</td>
              <td className="bar-cell" aria-hidden="true">
                <span className="bar-segment failed" style={{ width: `${(100 * count) / highest}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
