import type { ReactNode } from 'react';
import { ApiError, isTransient } from '../api/client.ts';
import { useConnection } from '../api/context.ts';
import { useLocale } from '../messages/locale.tsx';

type Kind = 'info' | 'good' | 'warning' | 'error';
const icons: Readonly<Record<Kind, string>> = { info: 'i', good: '✓', warning: '!', error: '✕' };

/** Told at once by a screen reader: errors aloud, the rest when it has a moment. */
export const Notice = ({ kind, children }: { readonly kind: Kind; readonly children: ReactNode }) => (
  <div className={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
    <span className="notice-icon" aria-hidden="true">
      {icons[kind]}
    </span>
    <div className="notice-content">{children}</div>
  </div>
);

/** Why something was not done; nothing when it was. */
export function Problem({ error }: { readonly error: unknown }) {
  const { t } = useLocale();
  if (!error) return null;
  const { problem, correlationId } = error instanceof ApiError ? error : { problem: 'internal' as const };
  return (
    <Notice kind="error">
      <span>{t.problems[problem]}</span>
      {correlationId !== undefined && <small>{t.correlation(correlationId)}</small>}
    </Notice>
  );
}

/** Beside the title of what is no longer the present state. */
export function StaleBadge({ isOld }: { readonly isOld: boolean }) {
  const { t } = useLocale();
  return isOld && <span className="badge stale-badge">{t.stale.badge}</span>;
}

interface ObservedQuery {
  readonly error: Error | null;
  /** why the last of the tries that are still made has failed */
  readonly failureReason: Error | null;
  /** epoch ms; 0 before the first answer */
  readonly dataUpdatedAt: number;
}

/** Says when what is shown is old, and of when it is: the oldest of what failed. */
export function StaleNotice({ of }: { readonly of: readonly ObservedQuery[] }) {
  const { t, formats } = useLocale();
  const { session } = useConnection();
  const failed = of.filter((each) => (each.error ?? each.failureReason) !== null);
  const [first] = failed;
  if (first === undefined) return null;
  const error = first.error ?? first.failureReason;
  const { problem } = error instanceof ApiError ? error : { problem: 'internal' as const };
  if (problem === 'unauthenticated' && session.state.kind === 'expired') return null; // the page says so itself
  const oldest = Math.min(...failed.map(({ dataUpdatedAt }) => dataUpdatedAt));
  const what = problem === 'unreachable' || problem === 'unavailable' ? t.stale.unreachable : t.problems[problem];
  return (
    <Notice kind="error">
      <strong>{what}</strong>
      {oldest !== 0 && <span>{t.stale.asOf(formats.moment(new Date(oldest).toISOString()))}</span>}
      {isTransient(error) && <span>{t.stale.retrying}</span>}
    </Notice>
  );
}
