import { createContext, type ReactNode, use, useEffect, useMemo, useState } from 'react';
import { preferences } from '../preferences.ts';
import { de, type Messages } from './de.ts';
import { en } from './en.ts';
import { createFormats, type Formats } from './formats.ts';

export const languages = { de: 'Deutsch', en: 'English' } as const;
export type Language = keyof typeof languages;
const messagesOf: Readonly<Record<Language, Messages>> = { de, en };
const storageKey = 'epa-sync.language';

interface Locale {
  readonly language: Language;
  readonly t: Messages;
  readonly formats: Formats;
  setLanguage(language: Language): void;
}

const LocaleContext = createContext<Locale | undefined>(undefined);

/** Returns the language that the user chose in this browser; by default, German. */
const storedLanguage = (): Language => (preferences.read(storageKey) === 'en' ? 'en' : 'de');

/** Returns the user's own locale of the chosen language, such as de-CH, because it determines formats of numbers and dates. */
export const localeOf = (language: Language, preferred: readonly string[]): string =>
  preferred.find((tag) => tag.slice(0, 2) === language) ?? language;

export function LocaleProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState(storedLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
    preferences.write(storageKey, language);
  }, [language]);
  const locale = localeOf(language, navigator.languages);
  const value = useMemo(
    () => ({ language, setLanguage, t: messagesOf[language], formats: createFormats(locale) }),
    [language, locale],
  );
  return <LocaleContext value={value}>{children}</LocaleContext>;
}

export function useLocale(): Locale {
  const locale = use(LocaleContext);
  if (locale === undefined) throw new Error('useLocale needs a LocaleProvider');
  return locale;
}
