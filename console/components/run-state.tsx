import type { Progress } from '../api/types.ts';
import { useLocale } from '../messages/locale.tsx';

export function RunState({ of: { state } }: { readonly of: Pick<Progress, 'state'> }) {
  const { t } = useLocale();
  return <span className={`badge ${state}`}>{t.run.states[state]}</span>;
}
