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
  const words = careStates.map((part) => `${formats.count(counts[part])} ${t.run.careStates[part]}`);
  return (
    <>
      <div className="bar" role="img" aria-label={`${t.run.care}: ${words.join(', ')}`}>
        {careStates.map((part) => (
          <span
            key={part}
            className={`bar-segment ${part}`}
            style={{ width: counts.total === 0 ? '0' : `${(100 * counts[part]) / counts.total}%` }}
          />
        ))}
      </div>
      {isWithLegend && (
        <ul className="legend" aria-hidden="true">
          {careStates.map((part, index) => (
            <li key={part}>
              <span className={`swatch ${part}`} /> {words[index]}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
