import { useConnection } from '../api/context.ts';
import { Button } from '../components/button.tsx';
import { Notice } from '../components/notice.tsx';
import type { Messages } from '../messages/de.ts';
import { useLocale } from '../messages/locale.tsx';

export function SignIn({ problem }: { readonly problem?: string }) {
  const { t } = useLocale();
  const { session } = useConnection();
  return (
    <section className="card sign-in">
      <h1>{t.signIn.title}</h1>
      <p>{t.signIn.lead}</p>
      {problem !== undefined && <Notice kind="error">{t.signIn.failed(describeSignInFault(problem, t.signIn))}</Notice>}
      <Button kind="primary" isLarge onPress={() => void session.signIn()}>
        {t.signIn.button}
      </Button>
    </section>
  );
}

/** @param problem the issuer's error code, or the text of an error of this page */
function describeSignInFault(problem: string, { faults, otherFault }: Messages['signIn']): string {
  if (problem.startsWith('TypeError')) return faults.unreachable; // fetch throws a TypeError if the server is unreachable
  if (problem.includes('state')) return faults.outdated; // the stored state is missing, or of another request
  return (faults as Readonly<Record<string, string>>)[problem] ?? otherFault(problem);
}

/** Shown if the settings cannot be loaded. */
export function SettingsUnavailable() {
  const { t } = useLocale();
  return (
    <main>
      <h1>{t.product}</h1>
      <Notice kind="error">{t.signIn.settingsUnavailable}</Notice>
    </main>
  );
}
