import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { RunSample } from '../../core/domain/run-sample.ts';
import { useLocale } from '../messages/locale.tsx';

const heightPx = 220;
const daySeconds = 86_400;

/** Draws stored and failed care records over time, with a table of the same figures. */
export default function RunChart({ samples }: { readonly samples: readonly RunSample[] }) {
  const { t, formats } = useLocale();
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const drawn = useRef(samples);
  drawn.current = samples;
  useEffect(() => {
    const { current: div } = container;
    if (div === null) return;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsOf(div, t.run, formats), dataOf(drawn.current), div);
    };
    draw();
    const resizing = new ResizeObserver(() => chart.current?.setSize({ width: div.clientWidth, height: heightPx }));
    resizing.observe(div);
    const mediaQueries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) => matchMedia(query));
    for (const mediaQuery of mediaQueries) mediaQuery.addEventListener('change', draw);
    const theming = new MutationObserver(draw);
    theming.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    return () => {
      resizing.disconnect();
      theming.disconnect();
      for (const mediaQuery of mediaQueries) mediaQuery.removeEventListener('change', draw);
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [t, formats]);
  useEffect(() => chart.current?.setData(dataOf(samples)), [samples]);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return null;
  const alt = t.run.chartAlt(
    formats.count(last.done),
    formats.count(last.failed),
    formats.clock(secondsOf(first), spansDays(samples)),
    formats.clock(secondsOf(last), spansDays(samples)),
  );
  return (
    <section className="chart" aria-labelledby="chart-title">
      <h3 id="chart-title">{t.run.chart}</h3>
      <ul className="legend" aria-hidden="true">
        <li>
          <span className="stroke done" /> {t.run.careStates.done}
        </li>
        <li>
          <span className="stroke failed" /> {t.run.careStates.failed}
        </li>
      </ul>
      <div ref={container} className="plot" role="img" aria-label={alt} />
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

const dataOf = (samples: readonly RunSample[]): uPlot.AlignedData => [
  samples.map(secondsOf),
  samples.map(({ done }) => done),
  samples.map(({ failed }) => failed),
];

function optionsOf(
  div: HTMLElement,
  messages: ReturnType<typeof useLocale>['t']['run'],
  formats: ReturnType<typeof useLocale>['formats'],
): uPlot.Options {
  const style = getComputedStyle(div);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--muted'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color('--border'), width: 1 },
    ticks: { stroke: color('--border'), width: 1 },
  };
  const line = { width: 2, points: { show: false } };
  return {
    width: div.clientWidth,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    series: [
      {},
      { ...line, label: messages.careStates.done, stroke: color('--good') },
      { ...line, label: messages.careStates.failed, stroke: color('--bad'), dash: [6, 4] },
    ],
    axes: [
      {
        ...axis,
        space: 110,
        values: (_plot, times) => {
          const spanSeconds = (times.at(-1) ?? 0) - (times[0] ?? 0);
          return times.map((at) => formats.clock(at, spanSeconds > daySeconds));
        },
      },
      { ...axis, size: 60, values: (_plot, counts) => counts.map((count) => formats.count(count)) },
    ],
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(5, max * 1.1)] } },
  };
}
