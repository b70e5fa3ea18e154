import { useEffect, useRef, useState } from 'react';
import { useLineWish } from '../api/queries.ts';
import type { Line, LineWithChanges } from '../api/types.ts';
import { Button } from '../parts/button.tsx';
import { Problem } from '../parts/notice.tsx';
import { ReasonDialog } from '../parts/reason-dialog.tsx';
import { useLocale } from '../texts/locale.tsx';

type Look = 'open' | 'busy' | 'pausing' | 'unproved' | 'silent';

/** What the line is to somebody who looks: paused alone is not silent. */
function lookOf({ state, busy, silent }: Line, isPausing: boolean): Look {
  if (state === 'paused' && silent) return 'silent';
  if (isPausing) return 'pausing';
  if (state === 'paused') return 'unproved';
  return busy ? 'busy' : 'open';
}

interface LinePanelProps {
  /** null before any worker has used it */
  readonly line: LineWithChanges | null;
  /** the API does not answer: as last seen */
  readonly isOld: boolean;
  readonly isOperator: boolean;
}

export function LinePanel({ line, isOld, isOperator }: LinePanelProps) {
  const { t } = useLocale();
  const pause = useLineWish('pause');
  const resume = useLineWish('resume');
  const silenceOf = useSilence();
  if (line === null)
    return (
      <section className="card line" aria-labelledby="line-title">
        <h2 id="line-title">{t.line.title}</h2>
        <p>{t.line.unknown}</p>
      </section>
    );
  const look = lookOf(line, pause.isPending);
  const silence = silenceOf(look === 'silent' ? line.since : undefined, pause);
  const wishes = { pause, resume };
  return (
    <section className={`card line ${look}${isOld ? ' old' : ''}`} aria-labelledby="line-title">
      <div className="line-head">
        <div>
          <h2 id="line-title">{t.line.title}</h2>
          <p className="line-state" role="status" data-look={look}>
            <span className="lamp" aria-hidden="true" />
            {stateTexts(look, t)}
            {look === 'pausing' && <Seconds />}
          </p>
          <LineFacts line={line} look={look} silence={silence} />
        </div>
        {isOperator && <LineButtons line={line} look={look} wishes={wishes} />}
      </div>
      <Problem error={pause.error ?? resume.error} />
      <LineChanges line={line} />
    </section>
  );
}

const stateTexts = (look: Look, t: ReturnType<typeof useLocale>['t']): string =>
  ({
    open: t.line.openIdle,
    busy: t.line.busy,
    pausing: t.line.pausing,
    unproved: t.line.unproved,
    silent: t.line.paused,
  })[look];

interface Silence {
  /** ISO 8601, by the reader's clock */
  readonly since: string;
  /** this page itself was told so; else it had been silent before it looked */
  readonly isExact: boolean;
}

/** Since when the line is known to be silent, for one pause. */
function useSilence() {
  const first = useRef<{ readonly pausedAt: string; readonly silence: Silence }>(undefined);
  return (pausedAt: string | undefined, pause: ReturnType<typeof useLineWish>): Silence | undefined => {
    if (pausedAt === undefined) return undefined;
    if (first.current?.pausedAt !== pausedAt) {
      const isExact = pause.data?.since === pausedAt || pause.isPending;
      first.current = { pausedAt, silence: { since: new Date().toISOString(), isExact } };
    }
    return first.current.silence;
  };
}

interface LineFactsProps {
  readonly line: LineWithChanges;
  readonly look: Look;
  readonly silence: Silence | undefined;
}

function LineFacts({ line: { by, since, reason, changes }, look, silence }: LineFactsProps) {
  const { t, formats } = useLocale();
  const hint = { open: t.line.openHint, busy: t.line.openHint, silent: t.line.silentHint }[look as 'open'];
  const [last] = changes;
  const facts =
    look === 'open' || look === 'busy'
      ? { by: last?.by, since: last?.at, reason: last?.reason }
      : { by: look === 'pausing' ? undefined : by, since, reason };
  return (
    <>
      {silence && (
        <p className="strong">
          {(silence.isExact ? t.line.silentSince : t.line.silentBefore)(formats.moment(silence.since))}
        </p>
      )}
      {facts.by !== undefined && (
        <dl className="facts">
          {facts.since !== undefined && (
            <div>
              <dt>{t.line.since}</dt>
              <dd>
                <time dateTime={facts.since}>{formats.moment(facts.since)}</time>
              </dd>
            </div>
          )}
          <div>
            <dt>{t.line.by}</dt>
            <dd>
              <bdi>{facts.by === 'system' ? t.line.system : facts.by}</bdi>
            </dd>
          </div>
          {facts.reason !== undefined && (
            <div>
              <dt>{t.line.reason}</dt>
              <dd>
                <bdi>{facts.reason}</bdi>
              </dd>
            </div>
          )}
        </dl>
      )}
      <p className="hint">{hint ?? t.line.pausingHint}</p>
    </>
  );
}

interface LineButtonsProps {
  readonly line: Line;
  readonly look: Look;
  readonly wishes: Readonly<Record<'pause' | 'resume', ReturnType<typeof useLineWish>>>;
}

function LineButtons({ line, look, wishes: { pause, resume } }: LineButtonsProps) {
  const { t } = useLocale();
  const isOpen = look === 'open' || look === 'busy';
  if (isOpen || look === 'pausing')
    return (
      <div className="line-buttons">
        <ReasonDialog
          trigger={
            <Button kind="danger" isLarge isDisabled={pause.isPending}>
              {t.line.pause}
            </Button>
          }
          title={t.line.pauseTitle}
          text={t.line.pauseText}
          confirm={t.line.pause}
          isDangerous
          onReason={(reason) => {
            resume.reset();
            pause.mutate(reason);
          }}
        />
      </div>
    );
  return (
    <div className="line-buttons">
      {look === 'unproved' && (
        <Button kind="danger" isLarge onPress={() => pause.mutate(line.reason ?? t.line.prove)}>
          {t.line.prove}
        </Button>
      )}
      <ReasonDialog
        trigger={
          <Button kind="primary" isLarge isPending={resume.isPending}>
            {t.line.resume}
          </Button>
        }
        title={t.line.resumeTitle}
        text={t.line.resumeText}
        confirm={t.line.resume}
        onReason={(reason) => {
          pause.reset();
          resume.mutate(reason);
        }}
      />
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
        {changes.map(({ number, state, by, at, reason }) => (
          <li key={number}>
            <time dateTime={at}>{formats.moment(at)}</time>{' '}
            <strong>
              <bdi>{by === 'system' ? t.line.system : by}</bdi> {t.line.change[state]}
            </strong>
            : <bdi>{reason}</bdi>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** How long somebody has been waiting. */
function Seconds() {
  const { formats } = useLocale();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const beganMs = performance.now();
    const ticking = setInterval(() => setSeconds((performance.now() - beganMs) / 1000), 250);
    return () => clearInterval(ticking);
  }, []);
  return (
    <span className="seconds" aria-hidden="true">
      {formats.duration(Math.floor(seconds))}
    </span>
  );
}
