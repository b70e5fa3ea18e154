import type { Progress } from '../api/types.ts';
import { useLocale } from '../messages/locale.tsx';
import { describeProblem } from '../messages/reasons.ts';

const shares = ['unreadablePercent', 'quarantinedPercent', 'failedPercent', 'flaggedPercent'] as const;

/** Shows how much of what came in a run was unreadable or unusual, and the most frequent problems. */
export function QualityFacts({ of: quality }: { readonly of: NonNullable<Progress['quality']> }) {
  const { t, formats } = useLocale();
  const { byProblem } = quality;
  const highest = byProblem[0]?.count ?? 1;
  return (
    <>
      <h3>{t.quality.title}</h3>
      <dl className="counts">
        {shares.map((share) => (
          <div key={share}>
            <dt>{t.quality[share]}</dt>
            <dd>{formats.percent(quality[share] / 100)}</dd>
          </div>
        ))}
      </dl>
      {byProblem.length > 0 && (
        <details>
          <summary>{t.quality.problems}</summary>
          <table className="bars">
            <tbody>
              {byProblem.map(({ path, kind, count }) => (
                <tr key={`${path}: ${kind}`}>
                  <th scope="row">
                    <bdi>{describeProblem(path, kind, t)}</bdi>
                  </th>
                  <td className="number">{formats.count(count)}</td>
                  <td className="bar-cell" aria-hidden="true">
                    <span className="bar-segment problem" style={{ width: `${(100 * count) / highest}%` }} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </>
  );
}
