import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { furtherProblems } from '../../core/domain/insurer-report.ts';
import { useConnection } from '../api/context.ts';
import type { InsurerProblem } from '../api/types.ts';
import { Button } from '../components/button.tsx';
import { Notice, Problem } from '../components/notice.tsx';
import { csvFile, saveFile } from '../components/save-file.ts';
import type { Messages } from '../messages/de.ts';
import type { Formats } from '../messages/formats.ts';
import { useLocale } from '../messages/locale.tsx';
import { describeFault } from '../messages/reasons.ts';

/** Saves what the insurer can mend as CSV, in the user's language: of the shown run, or of a period. */
export function InsurerReport({ runId }: { readonly runId: string }) {
  const { t, formats } = useLocale();
  const { api } = useConnection();
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const report = useMutation({
    mutationFn: async () => {
      const query = from === '' ? { runId } : { from, to };
      const answer = await api.get<{ problems: InsurerProblem[] }>('/sync/insurer-report', query);
      const lines = answer.problems.map((problem) => valuesOf(problem, t, formats));
      const period = from === '' ? runId : `${from}${to === '' ? '' : `-${to}`}`;
      saveFile(`${t.report.file}-${period}.csv`, csvFile([t.report.columns, ...lines], formats.csvSeparator));
      return answer.problems.length;
    },
  });
  const isWrong = to !== '' && to < from;
  return (
    <section className="card" aria-labelledby="report-title">
      <h2 id="report-title">{t.report.title}</h2>
      <p className="hint">{t.report.lead}</p>
      <div className="filters">
        <label className="field">
          {t.report.from}
          <input type="date" value={from} onChange={({ target }) => setFrom(target.value)} />
        </label>
        <label className="field">
          {t.report.to}
          <input
            type="date"
            value={to}
            min={from}
            disabled={from === ''}
            onChange={({ target }) => setTo(target.value)}
          />
        </label>
        <Button isPending={report.isPending} isDisabled={isWrong} onPress={() => report.mutate()}>
          {from === '' ? t.report.saveRun : t.report.savePeriod}
        </Button>
      </div>
      <Problem error={report.error} />
      {report.isSuccess && <Notice kind="good">{t.report.saved(formats.count(report.data), report.data)}</Notice>}
    </section>
  );
}

function valuesOf(of: InsurerProblem, t: Messages, formats: Formats) {
  const { runId, startedAt, finishedAt, request, effect, problem, positions = [], patientRefs = [] } = of;
  return [
    runId,
    formats.dateTime(startedAt),
    finishedAt && formats.dateTime(finishedAt),
    t.report.requests[request],
    t.report.effects[effect],
    problem === furtherProblems ? t.report.further : describeFault(problem, t),
    of.where,
    of.count,
    of.of,
    [...positions.map((position) => `$[${position}]`), ...patientRefs].join(' '),
  ];
}
