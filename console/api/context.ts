import { createContext, use, useSyncExternalStore } from 'react';
import type { Session, SessionState } from '../session.ts';
import type { Api } from './client.ts';

interface Connection {
  readonly session: Session;
  readonly api: Api;
}

export const ConnectionContext = createContext<Connection | undefined>(undefined);

export function useConnection(): Connection {
  const connection = use(ConnectionContext);
  if (connection === undefined) throw new Error('useConnection needs a ConnectionContext');
  return connection;
}

export const useSessionState = (session: Session): SessionState =>
  useSyncExternalStore(
    (listener) => session.subscribe(listener),
    () => session.state,
  );
