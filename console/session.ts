import { decodeJwt } from 'jose';
import { ErrorResponse, OidcClient, type SigninResponse, WebStorageStateStore } from 'oidc-client-ts';
import { claimAt, isLeftOut, type Role, rolesIn } from '../core/domain/access.ts';
import type { Settings } from './settings.ts';

/**
 * A token is renewed this many seconds before it expires. A token that lives less than twice as long is renewed after half of
 * its lifetime.
 */
const renewBeforeEndSeconds = 60;
/** Delay in milliseconds before the next renewal, after the issuer was unreachable or failed. */
const renewalRetryMs = 5_000;
const renewalTimeoutSeconds = 10;
/** Marks that this tab was signed in, without the user's identity. After a reload, the issuer may still have a session. */
const wasSignedInKey = 'epa-sync.was-signed-in';
/** Error codes of an issuer after which the user has to sign in again. After any other code, the renewal is retried. */
const signInRequiredCodes: readonly unknown[] = [
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
];
/** Error codes of a silent sign-in (`prompt=none`) that only say that the user must sign in. They are not shown as errors. */
const silentSignInCodes: readonly unknown[] = signInRequiredCodes.slice(4);

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
  /** the issuer has left the roles out of the token, because there are too many groups */
  readonly isWithoutRoles: boolean;
}

export type SessionState =
  | { readonly kind: 'signed-out'; readonly problem?: string }
  | { readonly kind: 'signed-in'; readonly person: Person }
  /** The token has expired and could not be renewed. The page keeps its data, but cannot load more. */
  | { readonly kind: 'expired'; readonly person: Person };

/**
 * Signs users in by the authorization code flow with PKCE, and renews their tokens. Tokens are in the memory of this object
 * only. While the issuer's page is open, sessionStorage holds state and code verifier; they are removed afterwards.
 */
export class Session {
  readonly #client: OidcClient; // UserManager adds frames, popups and events: 6 KB that a page with redirects does not use
  readonly #rolesClaim: string;
  readonly #listeners = new Set<() => void>();
  #tokens: SigninResponse | undefined;
  #state: SessionState = { kind: 'signed-out' };
  #renewal: Promise<boolean> | undefined;
  /** Fires at the next renewal of the token, or at its end. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ oidcIssuer, oidcClientId, oidcScope, oidcAudience, oidcRolesClaim }: Settings) {
    this.#rolesClaim = oidcRolesClaim;
    this.#client = new OidcClient({
      authority: oidcIssuer,
      client_id: oidcClientId,
      redirect_uri: `${location.origin}/`,
      post_logout_redirect_uri: `${location.origin}/`,
      scope: oidcScope,
      ...(oidcAudience !== undefined && { extraQueryParams: { audience: oidcAudience } }),
      loadUserInfo: false,
      stateStore: new WebStorageStateStore({ store: sessionStorage }),
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Handles the issuer's answer, if the URL holds one. After a reload, asks the issuer for its existing session. */
  async restore(): Promise<void> {
    const query = new URLSearchParams(location.search);
    if (query.has('state') && (query.has('code') || query.has('error'))) return await this.#handleCallback();
    if (query.size > 0) history.replaceState(null, '', `${location.pathname}${location.hash}`); // left by a sign-out
    if (sessionStorage.getItem(wasSignedInKey) !== null) await this.#redirectToIssuer({ prompt: 'none' });
  }

  async signIn(): Promise<void> {
    await this.#redirectToIssuer({});
  }

  /** Removes the user and the token immediately. Then ends the issuer's session, if the issuer supports that and is reachable. */
  async signOut(): Promise<void> {
    const idToken = this.#tokens?.id_token;
    clearTimeout(this.#timer);
    this.#tokens = undefined;
    sessionStorage.removeItem(wasSignedInKey);
    this.#setState({ kind: 'signed-out' });
    try {
      const { url } = await this.#client.createSignoutRequest({
        ...(idToken !== undefined && { id_token_hint: idToken }),
      });
      location.assign(url);
    } catch {
      // the issuer has no sign-out, or is unreachable: the user is signed out in this page only
      history.replaceState(null, '', location.pathname);
    }
  }

  /** The access token; undefined if no user is signed in. */
  get token(): string | undefined {
    return this.#tokens?.access_token;
  }

  /**
   * Renews the token, because the API rejected it or it expires soon. Calls during a renewal share its result.
   * @returns whether there is a new token
   */
  renew(): Promise<boolean> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<boolean> {
    const old = this.#tokens;
    if (this.#state.kind !== 'signed-in' || old === undefined) return false;
    const { person } = this.#state;
    try {
      const tokens = await this.#askForNewTokens(old);
      if (this.#tokens !== old) return false; // the user signed out meanwhile
      if (tokens !== undefined) {
        this.#setTokens(tokens);
        return true;
      }
    } catch (error) {
      if (this.#tokens !== old) return false;
      if (!(error instanceof ErrorResponse && signInRequiredCodes.includes(error.error))) {
        this.#schedule(renewalRetryMs, () => void this.renew());
        return false;
      }
    }
    this.#schedule(millisecondsLeft(old), () => this.#setState({ kind: 'expired', person }));
    return false;
  }

  /** Returns undefined if the issuer has given no refresh token. If it gives no new one, the old one stays valid. */
  async #askForNewTokens(old: SigninResponse): Promise<SigninResponse | undefined> {
    const { refresh_token, id_token, session_state, scope, profile, userState } = old;
    if (refresh_token === undefined) return undefined;
    // biome-ignore lint/correctness/useHookAtTopLevel: it is no hook of React
    const tokens = await this.#client.useRefreshToken({
      state: {
        ...{ refresh_token, session_state, profile, data: userState },
        ...(id_token !== undefined && { id_token }),
        ...(scope !== undefined && { scope }),
      },
      timeoutInSeconds: renewalTimeoutSeconds,
    });
    tokens.refresh_token ??= refresh_token;
    return tokens;
  }

  #setTokens(tokens: SigninResponse): void {
    this.#tokens = tokens;
    this.#setState({ kind: 'signed-in', person: personOf(tokens, this.#rolesClaim) });
    const leftMs = millisecondsLeft(tokens);
    this.#schedule(Math.max(leftMs / 2, leftMs - renewBeforeEndSeconds * 1_000), () => void this.renew());
  }

  /** Replaces the timer that was set before. */
  #schedule(inMs: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, Math.min(inMs, 2 ** 31 - 1)); // setTimeout fires immediately if the delay exceeds 31 bits
  }

  async #handleCallback(): Promise<void> {
    try {
      const tokens = await this.#client.processSigninResponse(location.href);
      history.replaceState(null, '', `${location.pathname}${hashFrom(tokens.userState)}`);
      sessionStorage.setItem(wasSignedInKey, '');
      this.#setTokens(tokens);
    } catch (error) {
      const { error: code, state } = error as { error?: string; state?: unknown };
      sessionStorage.removeItem(wasSignedInKey);
      history.replaceState(null, '', `${location.pathname}${hashFrom(state)}`); // keeps the page that the user asked for
      this.#setState({
        kind: 'signed-out',
        ...(!silentSignInCodes.includes(code) && { problem: code ?? String(error) }),
      });
    }
  }

  async #redirectToIssuer(how: { readonly prompt?: 'none' }): Promise<void> {
    try {
      const { url } = await this.#client.createSigninRequest({ state: location.hash, ...how });
      location.assign(url);
      await new Promise(() => {}); // the browser is leaving the page
    } catch (error) {
      this.#setState({ kind: 'signed-out', problem: String(error) });
    }
  }

  #setState(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Returns the remaining lifetime of the access token. If the issuer gives none, one hour is assumed. */
const millisecondsLeft = ({ expires_in }: SigninResponse): number => Math.max(0, expires_in ?? 3_600) * 1_000;

const hashFrom = (state: unknown): string => (typeof state === 'string' ? state : '');

/** Reads the roles from the same claim as the API. They only select the pages: the API checks them itself. */
function personOf({ access_token, profile }: SigninResponse, rolesClaim: string): Person {
  const claims = readClaims(access_token);
  return {
    id: profile.sub,
    name: profile.name ?? profile.sub,
    roles: rolesIn(claimAt(claims, rolesClaim) ?? claimAt(profile, rolesClaim)),
    isWithoutRoles: isLeftOut(claims, rolesClaim),
  };
}

/** Returns the claims of a token; an empty object if it is not a JWT. */
function readClaims(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
}
