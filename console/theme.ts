import { useEffect, useState } from 'react';
import { kept } from './preferences.ts';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];
const storageKey = 'epa-sync.theme';

const chosenTheme = (): Theme => themes.find((each) => each === kept.read(storageKey)) ?? 'system';

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(chosenTheme);
  useEffect(() => {
    kept.write(storageKey, theme);
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return [theme, setTheme];
}
