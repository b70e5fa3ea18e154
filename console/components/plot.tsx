import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useLocale } from '../messages/locale.tsx';

const heightPx = 220;

export interface PlotLine {
  readonly label: string;
  /** Name of a custom property of the page, such as `--good`. */
  readonly color: string;
  readonly isDashed?: boolean;
}

interface PlotProps {
  /** What the plot shows, for those who do not see it. */
  readonly alt: string;
  /** Epoch seconds, then the values of each line. null leaves a gap. */
  readonly data: uPlot.AlignedData;
  readonly lines: readonly PlotLine[];
  /** Marks each value, because there are few. */
  readonly hasPoints?: boolean;
  /** The axis of values reaches at least up to here. */
  readonly topAtLeast: number;
  formatTimes(epochSeconds: readonly number[]): string[];
  formatValue(value: number): string;
}

/** Draws lines over time, in the colours of the theme. The caller shows the same figures as text, such as a table. */
export function Plot(props: PlotProps) {
  const { formats } = useLocale();
  const { alt, data } = props;
  const container = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const drawn = useRef(props);
  drawn.current = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: labels and numbers change with the formats of the language
  useEffect(() => {
    const { current: div } = container;
    if (div === null) return;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(optionsOf(div, drawn.current), drawn.current.data, div);
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
  }, [formats]);
  useEffect(() => chart.current?.setData(data), [data]);
  return <div ref={container} className="plot" role="img" aria-label={alt} />;
}

/** Names the lines of a plot. Its `alt` says the same. */
export const PlotLegend = ({ lines }: Pick<PlotProps, 'lines'>) => (
  <ul className="legend" aria-hidden="true">
    {lines.map(({ label, color, isDashed = false }) => (
      <li key={label}>
        <span className={`stroke${isDashed ? ' dashed' : ''}`} style={{ borderColor: `var(${color})` }} /> {label}
      </li>
    ))}
  </ul>
);

function optionsOf(div: HTMLElement, props: PlotProps): uPlot.Options {
  const style = getComputedStyle(div);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--muted'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color('--border'), width: 1 },
    ticks: { stroke: color('--border'), width: 1 },
  };
  return {
    width: div.clientWidth,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    series: [
      {},
      ...props.lines.map((line) => ({
        width: 2,
        points: { show: props.hasPoints ?? false },
        label: line.label,
        stroke: color(line.color),
        ...(line.isDashed && { dash: [6, 4] }),
      })),
    ],
    axes: [
      { ...axis, space: 110, values: (_plot, times) => props.formatTimes(times) },
      { ...axis, size: 60, values: (_plot, values) => values.map((value) => props.formatValue(value)) },
    ],
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(props.topAtLeast, max * 1.1)] } },
  };
}
