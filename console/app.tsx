import { type ReactNode, type RefObject, Suspense, useEffect, useRef } from 'react';
import type { Role } from '../core/domain/access.ts';
import { useConnection, useSessionState } from './api/context.ts';
import { Button } from './components/button.tsx';
import { ErrorBoundary } from './components/error-boundary.tsx';
import { Notice } from './components/notice.tsx';
import { type Language, languages, useLocale } from './messages/locale.tsx';
import { ExportsPage } from './pages/exports-page.tsx';
import { IssuesPage } from './pages/issues-page.tsx';
import { LogPage } from './pages/log-page.tsx';
import { OverviewPage } from './pages/overview-page.tsx';
import { PatientPage } from './pages/patient-page.tsx';
import { RunsPage } from './pages/runs-page.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { hrefOf, type PageName, useRoute } from './route.ts';
import type { Person } from './session.ts';
import { type Theme, themes, useTheme } from './theme.ts';

/** The pages of each role. The first one is the start page. */
const pagesByRole: Readonly<Record<Role, readonly PageName[]>> = {
  operator: ['overview', 'issues', 'runs', 'patient', 'exports'],
  management: ['progress', 'runs'],
  clinician: ['patient'],
  auditor: ['access-log'],
  integration: ['exports'],
};

export function App() {
  const { session } = useConnection();
  const state = useSessionState(session);
  return (
    <Shell person={state.kind === 'signed-out' ? undefined : state.person}>
      {state.kind === 'signed-out' ? (
        <SignIn {...(state.problem !== undefined && { problem: state.problem })} />
      ) : (
        <>
          {state.kind === 'expired' && <SessionExpired />}
          <PageErrorBoundary>
            <Content person={state.person} />
          </PageErrorBoundary>
        </>
      )}
    </Shell>
  );
}

/** Keeps header and menu if a page fails, and offers to reload. Another page is rendered normally. */
function PageErrorBoundary({ children }: { readonly children: ReactNode }) {
  const { t } = useLocale();
  const { page, subject } = useRoute();
  return (
    <ErrorBoundary
      resetKey={`${page} ${subject}`}
      fallback={
        <Notice kind="error">
          <span>{t.pageFailed}</span>
          <Button onPress={() => location.reload()}>{t.reload}</Button>
        </Notice>
      }
    >
      {children}
    </ErrorBoundary>
  );
}

function Content({ person: { roles, isWithoutRoles } }: { readonly person: Person }) {
  const { t } = useLocale();
  const { page, subject } = useRoute();
  const pages = pagesOfRoles(roles);
  const shown = page === undefined && location.hash.length <= 2 ? pages[0] : page;
  if (roles.length === 0) return <PageUnavailable why={isWithoutRoles ? t.signIn.rolesLeftOut : t.signIn.noRole} />;
  if (shown === undefined || !pages.includes(shown)) return <PageUnavailable why={t.unknownPage} />;
  switch (shown) {
    case 'overview':
      return <OverviewPage isOperator />;
    case 'progress':
      return <OverviewPage isOperator={false} />;
    case 'issues':
      return <IssuesPage runId={subject} />;
    case 'runs':
      return <RunsPage isOperator={roles.includes('operator')} />;
    case 'patient':
      return <PatientPage patientRef={subject} mayRead={roles.includes('clinician')} />;
    case 'access-log':
      return <LogPage patientRef={subject} />;
    case 'exports':
      return <ExportsPage exportId={subject} mayStart={roles.includes('integration')} />;
  }
}

function PageUnavailable({ why }: { readonly why: string }) {
  const { t } = useLocale();
  return (
    <>
      <h1 className="visually-hidden">{t.product}</h1>
      <Notice kind="warning">{why}</Notice>
    </>
  );
}

/** Returns the pages of all roles. Operations includes progress, so an operator gets no separate progress page. */
const pagesOfRoles = (roles: readonly Role[]): readonly PageName[] =>
  [...new Set(roles.flatMap((role) => pagesByRole[role]))].filter(
    (page) => page !== 'progress' || !roles.includes('operator'),
  );

function SessionExpired() {
  const { t } = useLocale();
  const { session } = useConnection();
  return (
    <Notice kind="error">
      <span>{t.signIn.expired}</span>
      <Button kind="primary" onPress={() => void session.signIn()}>
        {t.signIn.again}
      </Button>
    </Notice>
  );
}

function Shell({ person, children }: { readonly person: Person | undefined; readonly children: ReactNode }) {
  const { t, language, setLanguage } = useLocale();
  const { session } = useConnection();
  const [theme, setTheme] = useTheme();
  const { page, subject } = useRoute();
  const main = useRef<HTMLElement>(null);
  const pages = person ? pagesOfRoles(person.roles) : [];
  const current = page ?? pages[0];
  useEffect(() => {
    document.title = current === undefined ? t.product : `${t.pages[current]} · ${t.product}`;
  }, [current, t]);
  useFocusOnPageChange(main, `${page} ${subject}`);
  return (
    <>
      <header className="top">
        <button type="button" className="skip" onClick={() => main.current?.focus()}>
          {t.skip}
        </button>
        <span className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          {t.product}
        </span>
        {pages.length > 0 && (
          <nav aria-label={t.menu}>
            {pages.map((each) => (
              <a key={each} href={hrefOf(each)} {...(each === current && { 'aria-current': 'page' as const })}>
                {t.pages[each]}
              </a>
            ))}
          </nav>
        )}
        <div className="tools">
          <select
            aria-label={t.language}
            value={language}
            onChange={({ target }) => setLanguage(target.value as Language)}
          >
            {Object.entries(languages).map(([code, name]) => (
              <option key={code} value={code} lang={code}>
                {name}
              </option>
            ))}
          </select>
          <select aria-label={t.theme} value={theme} onChange={({ target }) => setTheme(target.value as Theme)}>
            {themes.map((each) => (
              <option key={each} value={each}>
                {t.themes[each]}
              </option>
            ))}
          </select>
          {person && (
            <>
              <span className="person">
                <bdi>{person.name}</bdi>
                <small>{person.roles.map((role) => t.roles[role]).join(', ')}</small>
              </span>
              <Button kind="quiet" onPress={() => void session.signOut()}>
                {t.signIn.signOut}
              </Button>
            </>
          )}
        </div>
      </header>
      <main ref={main} tabIndex={-1}>
        <Suspense fallback={<p>{t.loading}</p>}>{children}</Suspense>
      </main>
    </>
  );
}

/** Moves the focus to the heading after a page change, unless a field of the page has the focus already. */
function useFocusOnPageChange(container: RefObject<HTMLElement | null>, pageKey: string) {
  const last = useRef(pageKey);
  useEffect(() => {
    const { current: main } = container;
    if (last.current === pageKey) return;
    last.current = pageKey;
    if (main === null || (main !== document.activeElement && main.contains(document.activeElement))) return;
    const start = main.querySelector('h1') ?? main;
    start.tabIndex = -1;
    start.focus();
  }, [container, pageKey]);
}
