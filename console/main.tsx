import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createApi } from './api/client.ts';
import { ConnectionContext } from './api/context.ts';
import { App } from './app.tsx';
import { SettingsUnavailable } from './pages/sign-in.tsx';
import { Session } from './session.ts';
import { readSettings } from './settings.ts';
import './style.css';
import { LocaleProvider } from './messages/locale.tsx';

const client = new QueryClient({
  defaultOptions: {
    queries: { retry: false, networkMode: 'always', staleTime: 500 }, // polled queries are repeated anyway
    mutations: { retry: false, networkMode: 'always' },
  },
});

async function open() {
  const settings = await readSettings();
  const session = new Session(settings);
  session.subscribe(() => {
    if (session.state.kind === 'signed-out') client.clear(); // removes the data of this user from memory
  });
  await session.restore();
  return { session, api: createApi(settings.apiUrl, session) };
}

addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.reload(); // the back/forward cache may show the page of another user
});

const root = createRoot(document.getElementById('root') ?? document.body);
const connection = await open().catch(() => undefined);
root.render(
  <StrictMode>
    <LocaleProvider>
      {connection === undefined ? (
        <SettingsUnavailable />
      ) : (
        <ConnectionContext value={connection}>
          <QueryClientProvider client={client}>
            <App />
          </QueryClientProvider>
        </ConnectionContext>
      )}
    </LocaleProvider>
  </StrictMode>,
);
