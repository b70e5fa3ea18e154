import { useAccessLogCheck, useCheckAccessLogs } from '../api/queries.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem, StaleNotice } from '../components/notice.tsx';
import { useLocale } from '../messages/locale.tsx';
import { hrefOf } from '../route.ts';

/** The last check of all access logs, which runs each month, and a button that starts one. */
export function LogCheck() {
  const { t, formats } = useLocale();
  const query = useAccessLogCheck();
  const start = useCheckAccessLogs();
  const check = query.data;
  return (
    <section className="card" aria-labelledby="log-check-title">
      <h2 id="log-check-title">{t.logCheck.title}</h2>
      <p className="hint">{t.logCheck.lead}</p>
      <StaleNotice of={[query]} />
      {check === null && <p>{t.logCheck.none}</p>}
      {check && (
        <>
          <p>
            {check.finishedAt === undefined
              ? t.logCheck.running(formats.dateTime(check.startedAt))
              : t.logCheck.ended(formats.dateTime(check.finishedAt))}{' '}
            {t.logCheck.counts(formats.count(check.logs), formats.count(check.entries))}
          </p>
          {check.unanchored > 0 && (
            <Notice kind="info">
              {t.log.unanchored(
                formats.count(check.unanchored),
                check.unanchored,
                formats.duration(check.oldestUnanchoredSeconds ?? 0),
              )}
            </Notice>
          )}
          {check.brokenLogs > 0 && (
            <Notice kind="error">
              <strong>{t.logCheck.broken(formats.count(check.brokenLogs), check.brokenLogs)}</strong>
              <ul>
                {check.broken.map(({ patientRef, firstBrokenSeq, problem }) => (
                  <li key={patientRef}>
                    <a href={hrefOf('access-log', patientRef)} className="code">
                      {patientRef}
                    </a>{' '}
                    {t.log.problems[problem](formats.count(firstBrokenSeq))}
                  </li>
                ))}
              </ul>
            </Notice>
          )}
          {check.brokenLogs === 0 && check.state === 'completed' && <Notice kind="good">{t.logCheck.valid}</Notice>}
        </>
      )}
      <div className="actions">
        <Button isPending={start.isPending} isDisabled={check?.state === 'running'} onPress={() => start.mutate()}>
          {t.logCheck.start}
        </Button>
      </div>
      <Problem error={start.error} />
    </section>
  );
}
