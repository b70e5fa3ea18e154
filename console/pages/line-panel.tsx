import { useEffect, useRef, useState } from 'react';
import { lineItself } from '../../core/domain/gate.ts';
import { useLineCommand } from '../api/queries.ts';
import type { Line, LineWithChanges } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Problem, StaleBadge } from '../components/notice.tsx';
import { type PauseEnd, pauseUntil } from '../components/pause-end.ts';
import { PauseEndField } from '../components/pause-end-field.tsx';
import { ReasonDialog } from '../components/reason-dialog.tsx';
import { useLocale } from '../messages/locale.tsx';
import { LineLimits } from './line-limits.tsx';

type PanelStatus = 'open' | 'pausing' | 'unproved' | 'silent';

/** Returns the status to show. A paused line is not silent until that is proved. */
function panelStatusOf({ state, silent }: Line, isPausing: boolean): PanelStatus {
  if (state === 'paused' && silent) return 'silent';
  if (isPausing) return 'pausing';
  return state === 'paused' ? 'unproved' : 'open';
}

interface LinePanelProps {
  /** null before a worker has used the line. */
  readonly line: LineWithChanges | null;
  /** The API does not answer, so this is the last known state. */
  readonly isStale: boolean;
  readonly isOperator: boolean;
}

export function LinePanel({ line, isStale, isOperator }: LinePanelProps) {
  const { t } = useLocale();
  const pause = useLineCommand('pause');
  const resume = useLineCommand('resume');
  const status = line && panelStatusOf(line, pause.isPending);
  const isErrorObsolete = pause.isError && status === 'silent';
  const { reset } = pause;
  useEffect(() => {
    if (isErrorObsolete) reset(); // the line is silent, so the error of the pause no longer matters
  }, [isErrorObsolete, reset]);
  if (line === null || status === null)
    return (
      <section className="card line" aria-labelledby="line-title">
        <h2 id="line-title">{t.line.title}</h2>
        <p>{t.line.unknown}</p>
      </section>
    );
  const error = (status === 'silent' ? null : pause.error) ?? resume.error;
  return (
    <section className={`card line ${status}${isStale ? ' stale' : ''}`} aria-labelledby="line-title">
      <div className="line-head">
        <div>
          <h2 id="line-title">
            {t.line.title} <StaleBadge isOld={isStale} />
          </h2>
          <div className="line-state" data-status={status}>
            <span className="status-light" aria-hidden="true" />
            <span role="status">{t.line.statuses[status]}</span>
            {status === 'pausing' && <ElapsedTime />}
            {status === 'open' && <LineActivity isBusy={line.busy} />}
          </div>
          <LineFacts line={line} status={status} />
        </div>
        {isOperator && <LineButtons line={line} status={status} commands={{ pause, resume }} />}
      </div>
      <Problem error={error} />
      <LineLimits line={line} isOperator={isOperator} />
      <LineChanges line={line} />
    </section>
  );
}

/** Shows whether a request is in flight. Not a live region, because screen readers would announce each request. */
function LineActivity({ isBusy }: { readonly isBusy: boolean }) {
  const { t } = useLocale();
  return (
    <span className="activity">
      <span className={`activity-dot${isBusy ? ' busy' : ''}`} aria-hidden="true" />{' '}
      {isBusy ? t.line.busy : t.line.idle}
    </span>
  );
}

interface LineFactsProps {
  readonly line: LineWithChanges;
  readonly status: PanelStatus;
}

function LineFacts({ line, status }: LineFactsProps) {
  const { t, formats } = useLocale();
  const { silentSince, changes, until, quietHours } = line;
  const hint = { open: t.line.openHint, silent: t.line.silentHint }[status as 'open'];
  const last = changes.find(({ kind }) => kind === undefined);
  return (
    <>
      {status === 'silent' && silentSince !== undefined && (
        <p className="strong">{t.line.silentSince(formats.moment(silentSince))}</p>
      )}
      {quietHours !== undefined && <p className="strong">{t.line.quietUntil(formats.moment(quietHours.until))}</p>}
      {until !== undefined && <p className="strong">{t.line.opensAt(formats.moment(until))}</p>}
      {status === 'open' && last !== undefined && <ReasonFacts by={last.by} since={last.at} reason={last.reason} />}
      {status !== 'open' && status !== 'pausing' && <OpenReasons line={line} />}
      <p className="hint">{hint ?? t.line.pausingHint}</p>
    </>
  );
}

/** Shows every reason for which the line is paused. */
function OpenReasons({ line: { openReasons = [], droppedReasons = 0 } }: { readonly line: Line }) {
  const { t } = useLocale();
  return (
    <>
      <ul className="reasons">
        {openReasons.map(({ number, ...facts }) => (
          <li key={number}>
            <ReasonFacts {...facts} />
          </li>
        ))}
      </ul>
      {droppedReasons > 0 && <p>{t.line.droppedReasons(droppedReasons)}</p>}
    </>
  );
}

interface ReasonFactsProps {
  readonly by: string;
  readonly since: string;
  readonly reason: string;
  readonly until?: string | undefined;
}

function ReasonFacts({ by, since, reason, until }: ReasonFactsProps) {
  const { t, formats } = useLocale();
  return (
    <dl className="facts">
      <div>
        <dt>{t.line.since}</dt>
        <dd>
          <time dateTime={since}>{formats.moment(since)}</time>
        </dd>
      </div>
      {until !== undefined && (
        <div>
          <dt>{t.line.until}</dt>
          <dd>
            <time dateTime={until}>{formats.moment(until)}</time>
          </dd>
        </div>
      )}
      <div>
        <dt>{t.line.by}</dt>
        <dd>
          <bdi>{by === lineItself ? t.line.system : by}</bdi>
        </dd>
      </div>
      <div>
        <dt>{t.line.reason}</dt>
        <dd>
          <bdi>{reason}</bdi>
        </dd>
      </div>
    </dl>
  );
}

interface LineButtonsProps {
  readonly line: Line;
  readonly status: PanelStatus;
  readonly commands: Readonly<Record<'pause' | 'resume', ReturnType<typeof useLineCommand>>>;
}

/** Uses the same button to pause and to resume, so that it keeps the focus after it was pressed. */
function LineButtons({ line, status, commands: { pause, resume } }: LineButtonsProps) {
  const { t } = useLocale();
  const mainButton = useRef<HTMLButtonElement>(null);
  const confirmButton = useRef<HTMLButtonElement>(null);
  const [end, setEnd] = useState<PauseEnd>({ kind: 'none' });
  const [newEnd, setNewEnd] = useState<PauseEnd>({ kind: 'hour' });
  const isPauseNext = status === 'open' || status === 'pausing';
  const next = isPauseNext
    ? { name: t.line.pause, title: t.line.pauseTitle, text: t.line.pauseText }
    : {
        name: t.line.resume,
        title: t.line.resumeTitle,
        text: t.line.resumeText,
        details: (
          <>
            <p>{t.line.resumeEnds}</p>
            <OpenReasons line={line} />
          </>
        ),
      };
  const pauseWithEnd = (reason: string, chosen: PauseEnd) => {
    pause.reset();
    resume.reset();
    pause.mutate({ reason, until: pauseUntil(chosen, new Date()) });
    setEnd({ kind: 'none' });
  };
  const confirmSilence = () => {
    const keepFocus = () => {
      if (document.activeElement === confirmButton.current) mainButton.current?.focus(); // the pressed button disappears
    };
    const { reason = t.line.confirmSilence, openReasons: [first] = [] } = line;
    const soon = new Date(Date.now() + 60_000).toISOString(); // the API takes no end that is over
    const until = first?.until !== undefined && first.until < soon ? soon : first?.until;
    pause.mutate({ reason, until }, { onSuccess: keepFocus });
  };
  return (
    <div className="line-buttons">
      {line.state === 'paused' && !line.silent && (
        <Button ref={confirmButton} kind="danger" isLarge isPending={pause.isPending} onPress={confirmSilence}>
          {t.line.confirmSilence}
        </Button>
      )}
      <ReasonDialog
        trigger={
          <Button
            ref={mainButton}
            kind={isPauseNext ? 'danger' : 'primary'}
            isLarge
            isPending={isPauseNext ? pause.isPending : resume.isPending}
          >
            {next.name}
          </Button>
        }
        title={next.title}
        text={next.text}
        details={next.details}
        confirm={next.name}
        isDangerous={isPauseNext}
        fields={isPauseNext && <PauseEndField end={end} onChange={setEnd} />}
        onReason={(reason) => {
          if (isPauseNext) return pauseWithEnd(reason, end);
          pause.reset();
          resume.reset();
          resume.mutate({ reason });
        }}
      />
      {line.until !== undefined && (
        <ReasonDialog
          trigger={<Button kind="quiet">{t.line.extend}</Button>}
          title={t.line.extend}
          text={t.line.extendText}
          confirm={t.line.extend}
          initialReason={line.reason}
          fields={<PauseEndField end={newEnd} onChange={setNewEnd} />}
          onReason={(reason) => pauseWithEnd(reason, newEnd)}
        />
      )}
    </div>
  );
}

function LineChanges({ line: { changes } }: { readonly line: LineWithChanges }) {
  const { t, formats } = useLocale();
  return (
    <details>
      <summary>{t.line.changes}</summary>
      {changes.length === 0 && <p>{t.line.noChanges}</p>}
      <ol className="changes" reversed>
        {changes.map(({ number, state, kind, requestsPerMinute, by, at, reason, until }) => (
          <li key={number}>
            <time dateTime={at}>{formats.moment(at)}</time>{' '}
            <strong>
              <bdi>{by === lineItself ? t.line.system : by}</bdi> {t.line.change[kind ?? state]}
              {kind === 'pace' &&
                `: ${requestsPerMinute === undefined ? t.line.noPace : t.line.pace(requestsPerMinute)}`}
            </strong>
            {until !== undefined && ` ${t.line.untilMoment(formats.moment(until))}`}: <bdi>{reason}</bdi>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** Shows the time since this component appeared. */
function ElapsedTime() {
  const { formats } = useLocale();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const beganMs = performance.now();
    const ticking = setInterval(() => setSeconds((performance.now() - beganMs) / 1000), 250);
    return () => clearInterval(ticking);
  }, []);
  return (
    <span className="elapsed" aria-hidden="true">
      {formats.duration(Math.floor(seconds))}
    </span>
  );
}
