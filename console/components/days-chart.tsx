import { useMemo } from 'react';
import type { Progress } from '../api/types.ts';
import { useLocale } from '../messages/locale.tsx';
import { Plot, PlotLegend, type PlotLine } from './plot.tsx';

const hourSeconds = 3_600;
/** Below this many hours, durations are drawn in minutes. */
const minutesBelowHours = 2;

/** The figures of one run that has ended. null: runs of 0.2.0 have none. */
interface RunFigures {
  readonly runId: string;
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly stored: number;
  readonly failed: number;
  readonly unreadableShare: number | null;
  readonly failureRate: number;
}

type Figure = Exclude<keyof RunFigures, 'runId' | 'startedAt'>;

/** Draws duration, stored, failed, unreadable and failure rate of several runs, with a table of the same figures. */
export default function DaysChart({ runs }: { readonly runs: readonly Progress[] }) {
  const { t, formats } = useLocale();
  const figures = useMemo(() => figuresOf(runs), [runs]);
  const longestHours = Math.max(...figures.map(({ durationSeconds }) => durationSeconds)) / hourSeconds;
  const isInMinutes = longestHours < minutesBelowHours;
  const durationUnitSeconds = isInMinutes ? 60 : hourSeconds;
  const [first, last] = [figures[0], figures.at(-1)];
  if (first === undefined || last === undefined) return null;
  const show: Readonly<Record<Figure, (run: RunFigures) => string>> = {
    durationSeconds: (run) => formats.duration(run.durationSeconds),
    stored: (run) => formats.count(run.stored),
    failed: (run) => formats.count(run.failed),
    unreadableShare: (run) => (run.unreadableShare === null ? t.none : formats.percent(run.unreadableShare)),
    failureRate: (run) => formats.percent(run.failureRate),
  };
  const altOf = (...names: Figure[]): string =>
    t.days.alt(
      names.map((name) => t.days[name]).join(', '),
      formats.count(figures.length),
      formats.dateTime(first.startedAt),
      formats.dateTime(last.startedAt),
      names.map((name) => show[name](last)).join(', '),
    );
  const times = { formatTimes: (at: readonly number[]) => at.map((seconds) => formats.clock(seconds, true)) };
  const line = (name: Figure, color: string, isDashed = false): PlotLine => ({ label: t.days[name], color, isDashed });
  const plots = [
    {
      names: ['durationSeconds'],
      title: isInMinutes ? t.days.minutes : t.days.hours,
      lines: [line('durationSeconds', '--accent')],
      per: durationUnitSeconds,
      topAtLeast: 1,
      formatValue: (value: number) => formats.decimal(value),
    },
    {
      names: ['stored', 'failed'],
      title: t.days.careRecords,
      lines: [line('stored', '--good'), line('failed', '--bad', true)],
      per: 1,
      topAtLeast: 5,
      formatValue: (value: number) => formats.count(value),
    },
    {
      names: ['unreadableShare', 'failureRate'],
      title: t.days.shares,
      lines: [line('unreadableShare', '--warn'), line('failureRate', '--calm', true)],
      per: 1,
      topAtLeast: 0.1,
      formatValue: (value: number) => formats.percent(value),
    },
  ] as const;
  return (
    <section className="chart days" aria-labelledby="days-title">
      <h2 id="days-title">{t.days.title}</h2>
      <div className="plots">
        {plots.map(({ names, title, lines, per, ...plot }) => (
          <div key={title}>
            <h3>{title}</h3>
            <PlotLegend lines={lines} />
            <FiguresPlot
              figures={figures}
              names={names}
              per={per}
              {...{ alt: altOf(...names), lines, ...times }}
              {...plot}
            />
          </div>
        ))}
      </div>
      <details>
        <summary>{t.run.chartTable}</summary>
        <table className="grid stacking">
          <thead>
            <tr>
              <th scope="col">{t.run.startedAt}</th>
              {figureNames.map((name) => (
                <th key={name} scope="col">
                  {t.days[name]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {figures.toReversed().map((run) => (
              <tr key={run.runId}>
                <th scope="row">{formats.dateTime(run.startedAt)}</th>
                {figureNames.map((name) => (
                  <td key={name} data-name={t.days[name]}>
                    {show[name](run)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

const figureNames: readonly Figure[] = ['durationSeconds', 'stored', 'failed', 'unreadableShare', 'failureRate'];

interface FiguresPlotProps extends Omit<Parameters<typeof Plot>[0], 'data'> {
  readonly figures: readonly RunFigures[];
  readonly names: readonly Figure[];
  /** Values are divided by this. */
  readonly per: number;
}

function FiguresPlot({ figures, names, per, ...plot }: FiguresPlotProps) {
  const key = names.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: key stands for names
  const data = useMemo<Parameters<typeof Plot>[0]['data']>(
    () => [
      figures.map(({ startedAt }) => Date.parse(startedAt) / 1_000),
      ...names.map((name) =>
        figures.map((run) => {
          const value = run[name];
          return value === null ? null : value / per;
        }),
      ),
    ],
    [figures, key, per],
  );
  return <Plot {...plot} data={data} hasPoints />;
}

/** Returns the figures of runs that have ended, oldest first. */
const figuresOf = (runs: readonly Progress[]): RunFigures[] =>
  runs
    .flatMap(({ runId, startedAt, finishedAt, careRecords, quality, line }) =>
      finishedAt === undefined
        ? []
        : [
            {
              runId,
              startedAt,
              durationSeconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000,
              stored: careRecords.done,
              failed: careRecords.failed,
              unreadableShare: quality === undefined ? null : quality.unreadablePercent / 100,
              failureRate: line.failureRate,
            },
          ],
    )
    .toSorted((a, b) => a.startedAt.localeCompare(b.startedAt));
