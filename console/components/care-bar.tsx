import type { Progress } from '../api/types.ts';
import { useLocale } from '../messages/locale.tsx';

const careStates = ['done', 'failed', 'notInsured', 'pending'] as const;

/** Shows the states of care records as a bar. Screen readers get the same as text. */
export function CareBar({
  of: counts,
  isWithLegend = false,
}: {
  readonly of: Progress['careRecords'];
  readonly isWithLegend?: boolean;
}) {
  const { t, formats } = useLocale();
  const labels = careStates.map((state) => `${formats.count(counts[state])} ${t.run.careStates[state]}`);
  return (
    <>
      <div className="bar" role="img" aria-label={`${t.run.care}: ${labels.join(', ')}`}>
        {careStates.map((state) => (
          <span
            key={state}
            className={`bar-segment ${state}`}
            style={{ width: counts.total === 0 ? '0' : `${(100 * counts[state]) / counts.total}%` }}
          />
        ))}
      </div>
      {isWithLegend && (
        <ul className="legend" aria-hidden="true">
          {careStates.map((state, index) => (
            <li key={state}>
              <span className={`swatch ${state}`} /> {labels[index]}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
