/** What differs between deployments: `/config.json`, beside the page. */
export interface Settings {
  readonly apiUrl: string;
  readonly oidcIssuer: string;
  readonly oidcClientId: string;
}

/** @throws Error when it is not there, or is not what it should be */
export async function readSettings(): Promise<Settings> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  const { apiUrl, oidcIssuer, oidcClientId } = (await response.json()) as Partial<Settings>;
  if (!apiUrl || !oidcIssuer || !oidcClientId) throw new Error('config.json: apiUrl, oidcIssuer and oidcClientId');
  return { apiUrl: apiUrl.replace(/\/+$/, ''), oidcIssuer, oidcClientId };
}
