import { demoUsers } from './demo-users.ts';

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** One button for each demo user. @param action where the choice is sent */
export const loginPage = (action: string): string => `<!doctype html>
<html lang="de">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>epa-sync: Anmelden</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
  button { font: inherit; display: block; width: 100%; margin: .5rem 0; padding: .75rem; text-align: left; }
</style>
<h1>Anmelden als</h1>
<form method="post" action="${escaped(action)}">
${Object.values(demoUsers)
  .map(
    ({ sub, name, title }) =>
      `  <button name="sub" value="${escaped(sub)}">${escaped(name)} · ${escaped(title)}</button>`,
  )
  .join('\n')}
</form>
<p>Ein Aussteller zum Ausprobieren: Wer diese Seite erreicht, kann jede dieser Personen sein.</p>
</html>
`;

/** Sends itself: whoever is here has asked to sign out. @param form the issuer's, as HTML, with the ID `op.logoutForm` */
export const logoutPage = (form: string, nonce: string): string => `<!doctype html>
<html lang="de">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>epa-sync: Abmelden</title>
<h1>Abmelden</h1>
${form}
<input type="hidden" form="op.logoutForm" name="logout" value="yes">
<button form="op.logoutForm">Abmelden</button>
<script nonce="${escaped(nonce)}">document.forms[0].submit();</script>
</html>
`;
