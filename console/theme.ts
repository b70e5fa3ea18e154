import { useEffect, useState } from 'react';
import { preferences } from './preferences.ts';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];
const storageKey = 'epa-sync.theme';

const storedTheme = (): Theme => themes.find((each) => each === preferences.read(storageKey)) ?? 'system';

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(storedTheme);
  useEffect(() => {
    preferences.write(storageKey, theme);
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return [theme, setTheme];
}
