import { lazy, Suspense, useState } from 'react';
import { phases } from '../../core/domain/progress.ts';
import { useCancelRun, useStartRun } from '../api/queries.ts';
import type { Progress } from '../api/types.ts';
import { useChartSamples } from '../chart-samples.ts';
import { Button } from '../components/button.tsx';
import { CareBar } from '../components/care-bar.tsx';
import { ErrorBoundary } from '../components/error-boundary.tsx';
import { Notice, Problem, StaleBadge } from '../components/notice.tsx';
import { QualityFacts } from '../components/quality-facts.tsx';
import { ReasonDialog } from '../components/reason-dialog.tsx';
import { RunState } from '../components/run-state.tsx';
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
            {isRunning && (
              <ReasonDialog
                trigger={
                  <Button kind="quiet" isPending={cancel.isPending}>
                    {t.run.cancel}
                  </Button>
                }
                title={t.run.cancelTitle}
                text={t.run.cancelText}
                confirm={t.run.cancel}
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
      <div className="tiles">
        <Tile name={t.run.care} value={care} isWide>
          <CareBar of={careRecords} isWithLegend />
          {(careRecords.flagged ?? 0) > 0 && (
            <small>{t.run.careFlagged(formats.count(careRecords.flagged ?? 0))}</small>
          )}
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
  const sorted = (Object.entries(faults) as [keyof typeof t.run.faultKinds, number][])
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
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
