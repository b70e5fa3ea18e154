import type { Role } from '../../core/domain/access.ts';
import { demoUsers } from './demo-users.ts';

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const messages = {
  de: {
    signInAs: 'Anmelden als',
    signOut: 'Abmelden',
    warning: 'Ein Aussteller zum Ausprobieren: Wer diese Seite erreicht, kann jede dieser Personen sein.',
    titles: { clinician: 'Ärztin', operator: 'Betrieb', management: 'Geschäftsleitung', auditor: 'Datenschutz' },
  },
  en: {
    signInAs: 'Sign in as',
    signOut: 'Sign out',
    warning: 'An issuer to try things with: whoever reaches this page can be any of these people.',
    titles: { clinician: 'physician', operator: 'operations', management: 'management', auditor: 'data protection' },
  },
} as const;
type Language = keyof typeof messages;

/** German unless the browser asks for English first. @param accepted its Accept-Language */
export const languageOf = (accepted = ''): Language => (/^\s*en\b/i.test(accepted) ? 'en' : 'de');

const head = (language: Language, title: string): string => `<!doctype html>
<html lang="${language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>epa-sync: ${title}</title>`;

/** One button for each demo user. @param action where the choice is sent */
export function loginPage(action: string, language: Language): string {
  const { signInAs, warning, titles } = messages[language];
  const buttons = (Object.keys(demoUsers) as Role[]).map((role) => {
    const { sub, name } = demoUsers[role];
    return `  <button name="sub" value="${escapeHtml(sub)}">${escapeHtml(name)} · ${titles[role]}</button>`;
  });
  return `${head(language, signInAs)}
<style>
  :root { color-scheme: light dark; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
  button { font: inherit; display: block; width: 100%; margin: .5rem 0; padding: .75rem; text-align: start; }
</style>
<main>
<h1>${signInAs}</h1>
<form method="post" action="${escapeHtml(action)}">
${buttons.join('\n')}
</form>
<p>${warning}</p>
</main>
</html>
`;
}

/** Sends itself: whoever is here has asked to sign out. @param form the issuer's, as HTML, with the ID `op.logoutForm` */
export function logoutPage(form: string, nonce: string, language: Language): string {
  const { signOut } = messages[language];
  return `${head(language, signOut)}
<main>
<h1>${signOut}</h1>
${form}
<input type="hidden" form="op.logoutForm" name="logout" value="yes">
<button form="op.logoutForm">${signOut}</button>
</main>
<script nonce="${escapeHtml(nonce)}">document.forms[0].submit();</script>
</html>
`;
}
