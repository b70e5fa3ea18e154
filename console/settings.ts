/** The settings of a deployment, from `/config.json`. */
export interface Settings {
  readonly apiUrl: string;
  readonly oidcIssuer: string;
  readonly oidcClientId: string;
  /** The scope that is requested at sign-in. */
  readonly oidcScope: string;
  /** The token's claim that holds the roles. */
  readonly oidcRolesClaim: string;
  /** The `audience` parameter, for issuers that require it. */
  readonly oidcAudience?: string;
}

const requiredSettings = ['apiUrl', 'oidcIssuer', 'oidcClientId', 'oidcScope', 'oidcRolesClaim'] as const;

/** Reads the settings. @throws Error if the file is missing, or lacks a setting */
export async function readSettings(): Promise<Settings> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`cannot read config.json: status ${response.status}`);
  const settings = (await response.json()) as Settings;
  if (requiredSettings.some((name) => !settings[name]))
    throw new Error(`config.json must have all of: ${requiredSettings.join(', ')}`);
  return { ...settings, apiUrl: settings.apiUrl.replace(/\/+$/, '') };
}
