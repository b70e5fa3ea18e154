import { roleNames } from '../../core/domain/role-names.ts';
import { demoUsers } from './demo-users.ts';

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const messages = {
  de: {
    signInAs: 'Anmelden als',
    signOut: 'Abmelden',
    warning:
      'Dieser Anmeldedienst ist nur zum Ausprobieren. Alle, die diese Seite erreichen, können sich als jede dieser Personen anmelden.',
  },
  en: {
    signInAs: 'Sign in as',
    signOut: 'Sign out',
    warning:
      'This sign-in service is for trying out epa-sync only. Everyone who can reach this page can sign in as any of these users.',
  },
} as const;
type Language = keyof typeof messages;

/** Returns English if the browser prefers it, otherwise German. @param accepted the Accept-Language header */
export const languageOf = (accepted = ''): Language => (/^\s*en\b/i.test(accepted) ? 'en' : 'de');

const head = (language: Language, title: string): string => `<!doctype html>
<html lang="${language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>epa-sync: ${title}</title>`;

/** Returns a page with one button for each demo user. @param action the URL that the form is sent to */
export function loginPage(action: string, language: Language): string {
  const { signInAs, warning } = messages[language];
  const buttons = (Object.keys(demoUsers) as (keyof typeof demoUsers)[]).map((role) => {
    const { sub, name } = demoUsers[role];
    return `  <button name="sub" value="${escapeHtml(sub)}">${escapeHtml(name)} · ${roleNames[language][role]}</button>`;
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

/**
 * Returns a page that submits the issuer's logout form immediately, because the user has already asked to sign out.
 * @param form the issuer's form as HTML, with the ID `op.logoutForm`
 */
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
