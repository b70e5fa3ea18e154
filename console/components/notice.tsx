import type { ReactNode } from 'react';
import { ApiError, isTransient } from '../api/client.ts';
import { useConnection } from '../api/context.ts';
import { useLocale } from '../messages/locale.tsx';

type Kind = 'info' | 'good' | 'warning' | 'error';
const icons: Readonly<Record<Kind, string>> = { info: 'i', good: '✓', warning: '!', error: '✕' };

/** A message that screen readers announce: errors immediately, all others when the reader is idle. */
export const Notice = ({ kind, children }: { readonly kind: Kind; readonly children: ReactNode }) => (
  <div className={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
    <span className="notice-icon" aria-hidden="true">
      {icons[kind]}
    </span>
    <div className="notice-content">{children}</div>
  </div>
);

/** Shows why a request failed; nothing if it did not. */
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

/** Marks a title whose content is out of date. */
export function StaleBadge({ isOld }: { readonly isOld: boolean }) {
  const { t } = useLocale();
  return isOld && <span className="badge stale-badge">{t.stale.badge}</span>;
}

interface ObservedQuery {
  readonly error: Error | null;
  /** The error of the last retry, while the query is still retried. */
  readonly failureReason: Error | null;
  /** Epoch milliseconds; 0 before the first answer. */
  readonly dataUpdatedAt: number;
}

/** Tells that a query failed, and the time of the oldest data that is still shown. */
export function StaleNotice({ of }: { readonly of: readonly ObservedQuery[] }) {
  const { t, formats } = useLocale();
  const { session } = useConnection();
  const failed = of.filter((each) => (each.error ?? each.failureReason) !== null);
  const [first] = failed;
  if (first === undefined) return null;
  const error = first.error ?? first.failureReason;
  const { problem } = error instanceof ApiError ? error : { problem: 'internal' as const };
  if (problem === 'unauthenticated' && session.state.kind === 'expired') return null; // SessionExpired is shown instead
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
