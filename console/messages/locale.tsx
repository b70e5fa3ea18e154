import { createContext, type ReactNode, use, useEffect, useMemo, useState } from 'react';
import { I18nProvider } from 'react-aria-components';
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

/** German unless the reader has chosen otherwise here. */
const storedLanguage = (): Language => (preferences.read(storageKey) === 'en' ? 'en' : 'de');

/** The reader's own locale where it is of the chosen language, as they read numbers and dates in it. */
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
  return (
    <LocaleContext value={value}>
      <I18nProvider locale={locale}>{children}</I18nProvider>
    </LocaleContext>
  );
}

export function useLocale(): Locale {
  const locale = use(LocaleContext);
  if (locale === undefined) throw new Error('no LocaleProvider');
  return locale;
}
