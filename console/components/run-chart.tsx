import { useMemo } from 'react';
import type { RunSample } from '../../core/domain/run-sample.ts';
import { useLocale } from '../messages/locale.tsx';
import { Plot, PlotLegend, type PlotLine } from './plot.tsx';

const daySeconds = 86_400;

/** Draws stored and failed care records over time, with a table of the same figures. */
export default function RunChart({ samples }: { readonly samples: readonly RunSample[] }) {
  const { t, formats } = useLocale();
  const data = useMemo(() => dataOf(samples), [samples]);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return null;
  const alt = t.run.chartAlt(
    formats.count(last.done),
    formats.count(last.failed),
    formats.clock(secondsOf(first), spansDays(samples)),
    formats.clock(secondsOf(last), spansDays(samples)),
  );
  const lines: readonly PlotLine[] = [
    { label: t.run.careStates.done, color: '--good' },
    { label: t.run.careStates.failed, color: '--bad', isDashed: true },
  ];
  return (
    <section className="chart" aria-labelledby="chart-title">
      <h3 id="chart-title">{t.run.chart}</h3>
      <PlotLegend lines={lines} />
      <Plot
        alt={alt}
        data={data}
        lines={lines}
        topAtLeast={5}
        formatTimes={(times) => {
          const spanSeconds = (times.at(-1) ?? 0) - (times[0] ?? 0);
          return times.map((at) => formats.clock(at, spanSeconds > daySeconds));
        }}
        formatValue={(count) => formats.count(count)}
      />
      <details>
        <summary>{t.run.chartTable}</summary>
        <table className="grid">
          <thead>
            <tr>
              <th scope="col">{t.run.time}</th>
              <th scope="col">{t.run.careStates.done}</th>
              <th scope="col">{t.run.careStates.failed}</th>
            </tr>
          </thead>
          <tbody>
            {tableSamples(samples).map(({ at, done, failed }) => (
              <tr key={at}>
                <td>{formats.clock(secondsOf({ at }), spansDays(samples))}</td>
                <td>{formats.count(done)}</td>
                <td>{formats.count(failed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

const tableRows = 12;

/** Returns at most `tableRows` samples, evenly spread. The last sample is always included. */
const tableSamples = (samples: readonly RunSample[]): readonly RunSample[] => {
  const step = Math.ceil(samples.length / tableRows);
  return samples.filter((_, index) => (samples.length - 1 - index) % step === 0);
};

/** Tells whether the samples cover more than a day, so that a time needs its date. */
const spansDays = (samples: readonly Pick<RunSample, 'at'>[]): boolean => {
  const [first, last] = [samples[0], samples.at(-1)];
  return first !== undefined && last !== undefined && secondsOf(last) - secondsOf(first) > daySeconds;
};

const secondsOf = ({ at }: Pick<RunSample, 'at'>): number => Date.parse(at) / 1_000;

const dataOf = (samples: readonly RunSample[]): [number[], number[], number[]] => [
  samples.map(secondsOf),
  samples.map(({ done }) => done),
  samples.map(({ failed }) => failed),
];
