import { useConnection } from '../api/context.ts';
import { Button } from '../parts/button.tsx';
import { Notice } from '../parts/notice.tsx';
import { useLocale } from '../texts/locale.tsx';

export function SignIn({ problem }: { readonly problem?: string }) {
  const { t } = useLocale();
  const { session } = useConnection();
  return (
    <section className="card sign-in">
      <h1>{t.signIn.title}</h1>
      <p>{t.signIn.lead}</p>
      {problem !== undefined && <Notice kind="error">{t.signIn.problem(problem)}</Notice>}
      <Button kind="primary" isLarge onPress={() => void session.signIn()}>
        {t.signIn.button}
      </Button>
    </section>
  );
}

/** The page without its settings: there is nobody to ask. */
export function Unreadable() {
  const { t } = useLocale();
  return (
    <main>
      <h1>{t.product}</h1>
      <Notice kind="error">{t.signIn.unreadable}</Notice>
    </main>
  );
}
