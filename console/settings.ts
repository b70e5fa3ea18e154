/** What differs between deployments: `/config.json`, beside the page. */
export interface Settings {
  readonly apiUrl: string;
  readonly oidcIssuer: string;
  readonly oidcClientId: string;
  /** what is asked for when somebody signs in */
  readonly oidcScope: string;
  /** the claim of a token that holds the roles */
  readonly oidcRolesClaim: string;
  /** for issuers who want to be told whom the token is for */
  readonly oidcAudience?: string;
}

const requiredSettings = ['apiUrl', 'oidcIssuer', 'oidcClientId', 'oidcScope', 'oidcRolesClaim'] as const;

/** @throws Error when it is not there, or is not what it should be */
export async function readSettings(): Promise<Settings> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  const settings = (await response.json()) as Settings;
  if (requiredSettings.some((name) => !settings[name])) throw new Error(`config.json: ${requiredSettings.join(', ')}`);
  return { ...settings, apiUrl: settings.apiUrl.replace(/\/+$/, '') };
}
