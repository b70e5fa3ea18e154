import { z } from 'zod';
import type { Role } from '../../core/domain/access.ts';
import { StartFailure } from '../../terminal/start-failure.ts';
import { demoUsers } from './demo-users.ts';
import { readIssuerKeys } from './issuer-keys.ts';

const answer = z.object({ access_token: z.string() });

/** Fetches an access token of the demo user of a role. It is valid for an hour. @throws StartFailure */
export async function fetchToken(issuer: string, keysFile: string, role: Role): Promise<string> {
  const { clientSecret } = readIssuerKeys(keysFile);
  const basic = Buffer.from(`${demoUsers[role].sub}:${clientSecret}`).toString('base64');
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    signal: AbortSignal.timeout(5_000),
  }).catch((error: unknown) => {
    throw new StartFailure(`no issuer answers at ${issuer}. Check that npm start still runs.`, { cause: error });
  });
  if (!response.ok) throw new StartFailure(`the issuer at ${issuer} issued no token: status ${response.status}`);
  return answer.parse(await response.json()).access_token;
}
