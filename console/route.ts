import { useSyncExternalStore } from 'react';

export const pageNames = ['overview', 'progress', 'issues', 'runs', 'patient', 'access-log', 'exports'] as const;
export type PageName = (typeof pageNames)[number];

/** The current page, from the hash of the URL. Holds pseudonyms and IDs of runs and exports, never a KVNR. */
export interface Route {
  readonly page: PageName | undefined;
  /** A patientRef, a run ID or an export ID. */
  readonly subject?: string;
}

export function routeOf(hash: string): Route {
  const [, name = '', subject] = /^#\/([a-z-]*)(?:\/([0-9A-Za-z-]{1,64}))?$/.exec(hash) ?? [];
  const page = pageNames.find((each) => each === name);
  return { page, ...(subject !== undefined && { subject }) };
}

export const hrefOf = (page: PageName, subject?: string): string =>
  subject === undefined ? `#/${page}` : `#/${page}/${subject}`;

export const navigateTo = (page: PageName, subject?: string): void => {
  location.hash = hrefOf(page, subject);
};

const subscribe = (listener: () => void): (() => void) => {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
};

export const useRoute = (): Route => routeOf(useSyncExternalStore(subscribe, () => location.hash));
