import { useLocale } from '../messages/locale.tsx';
import { type PauseEnd, pauseEndKinds, pauseEndLimits } from './pause-end.ts';

/** Chooses when a pause ends by itself, if it does. */
export function PauseEndField({
  end,
  onChange,
}: {
  readonly end: PauseEnd;
  readonly onChange: (end: PauseEnd) => void;
}) {
  const { t } = useLocale();
  return (
    <>
      <label className="field">
        {t.line.end}
        <select
          value={end.kind}
          onChange={({ target }) => {
            const kind = target.value as PauseEnd['kind'];
            onChange(kind === 'own' ? { kind, at: '' } : { kind });
          }}
        >
          {pauseEndKinds.map((kind) => (
            <option key={kind} value={kind}>
              {t.line.ends[kind]}
            </option>
          ))}
        </select>
      </label>
      {end.kind === 'own' && (
        <label className="field">
          {t.line.endAt}
          <input
            type="datetime-local"
            required
            {...pauseEndLimits(new Date())}
            value={end.at}
            onChange={({ target }) => onChange({ kind: 'own', at: target.value })}
          />
        </label>
      )}
    </>
  );
}
