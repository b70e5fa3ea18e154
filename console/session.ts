import { decodeJwt } from 'jose';
import { ErrorResponse, InMemoryWebStorage, type User, UserManager, WebStorageStateStore } from 'oidc-client-ts';
import { type Role, rolesIn } from '../core/domain/access.ts';
import type { Settings } from './settings.ts';

/** A token is renewed so long before its end, s; one that is good for less than twice that, at half of its time. */
const renewBeforeEndSeconds = 60;
/** So long after the issuer was not reached, or was not well, it is asked again, ms. */
const renewalRetryMs = 5_000;
/** Says that this tab was signed in, and nothing of who: a reload then asks the issuer, which may know them still. */
const wasSignedInKey = 'epa-sync.was-signed-in';
/** What an issuer says when somebody has to sign in again; with any other word it may say something else in a moment. */
const finalRefusals: readonly unknown[] = [
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
];
/** Refusals of a question that nobody sees: whoever is not signed in there is to be asked, and nothing is wrong. */
const silentRefusals: readonly unknown[] = finalRefusals.slice(4);

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly Role[];
}

export type SessionState =
  | { readonly kind: 'signed-out'; readonly problem?: string }
  | { readonly kind: 'signed-in'; readonly person: Person }
  /** the token has ended and could not be renewed: what is shown stays, nothing new comes */
  | { readonly kind: 'expired'; readonly person: Person };

/**
 * Who is signed in: authorization code with PKCE. Tokens live in this object only; what lies in sessionStorage while the
 * issuer's page is open (state, code verifier) is of no use afterwards and is taken away.
 */
export class Session {
  readonly #manager: UserManager;
  readonly #rolesClaim: string;
  readonly #listeners = new Set<() => void>();
  #user: User | undefined;
  #state: SessionState = { kind: 'signed-out' };
  #renewal: Promise<boolean> | undefined;
  /** what is due next of the token: its renewal, or its end */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ oidcIssuer, oidcClientId, oidcScope, oidcAudience, oidcRolesClaim }: Settings) {
    this.#rolesClaim = oidcRolesClaim;
    this.#manager = new UserManager({
      authority: oidcIssuer,
      client_id: oidcClientId,
      redirect_uri: `${location.origin}/`,
      post_logout_redirect_uri: `${location.origin}/`,
      scope: oidcScope,
      ...(oidcAudience !== undefined && { extraQueryParams: { audience: oidcAudience } }),
      loadUserInfo: false,
      automaticSilentRenew: false, // without a refresh token it would open a frame, which the policy forbids
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
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

  /** Takes what the issuer answered, if this is its answer; after a reload asks whether it knows them still. */
  async restore(): Promise<void> {
    const query = new URLSearchParams(location.search);
    if (query.has('state') && (query.has('code') || query.has('error'))) return await this.#handleCallback();
    if (query.size > 0) history.replaceState(null, '', `${location.pathname}${location.hash}`); // of a sign-out
    if (sessionStorage.getItem(wasSignedInKey) !== null) await this.#redirectToIssuer({ prompt: 'none' });
  }

  async signIn(): Promise<void> {
    await this.#redirectToIssuer({});
  }

  /** Forgets whoever is signed in, here and now; then tells the issuer, if it can be told. */
  async signOut(): Promise<void> {
    const idToken = this.#user?.id_token;
    clearTimeout(this.#timer);
    this.#user = undefined;
    sessionStorage.removeItem(wasSignedInKey);
    this.#setState({ kind: 'signed-out' });
    try {
      await this.#manager.removeUser();
      await this.#manager.signoutRedirect(idToken === undefined ? {} : { id_token_hint: idToken });
    } catch {
      history.replaceState(null, '', location.pathname); // it knows no sign-out, or is not reached: here it is over
    }
  }

  /** The access token; undefined when nobody is signed in. */
  get token(): string | undefined {
    return this.#user?.access_token;
  }

  /**
   * Asks for a new token, as the API has refused this one, or its end is near; whoever comes meanwhile waits for the same answer.
   * @returns whether there is one
   */
  renew(): Promise<boolean> {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<boolean> {
    const old = this.#user;
    if (this.#state.kind !== 'signed-in' || old === undefined) return false;
    const { person } = this.#state;
    try {
      const user = old.refresh_token === undefined ? null : await this.#manager.signinSilent();
      if (this.#user !== old) return false; // has signed out meanwhile
      if (user !== null) {
        this.#setUser(user);
        return true;
      }
    } catch (error) {
      if (this.#user !== old) return false;
      if (!(error instanceof ErrorResponse && finalRefusals.includes(error.error))) {
        this.#schedule(renewalRetryMs, () => void this.renew());
        return false;
      }
    }
    this.#schedule(millisecondsLeft(old), () => this.#setState({ kind: 'expired', person }));
    return false;
  }

  #setUser(user: User): void {
    this.#user = user;
    this.#setState({ kind: 'signed-in', person: personOf(user, this.#rolesClaim) });
    const leftMs = millisecondsLeft(user);
    this.#schedule(Math.max(leftMs / 2, leftMs - renewBeforeEndSeconds * 1_000), () => void this.renew());
  }

  /** In place of what was due before. */
  #schedule(inMs: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, Math.min(inMs, 2 ** 31 - 1)); // a longer one would be none
  }

  async #handleCallback(): Promise<void> {
    try {
      const user = await this.#manager.signinRedirectCallback();
      history.replaceState(null, '', `${location.pathname}${hashFrom(user.state)}`);
      sessionStorage.setItem(wasSignedInKey, '');
      this.#setUser(user);
    } catch (error) {
      const { error: code, state } = error as { error?: string; state?: unknown };
      sessionStorage.removeItem(wasSignedInKey);
      history.replaceState(null, '', `${location.pathname}${hashFrom(state)}`); // where they were going they still want to
      this.#setState({ kind: 'signed-out', ...(!silentRefusals.includes(code) && { problem: code ?? String(error) }) });
    }
  }

  async #redirectToIssuer(how: { readonly prompt?: 'none' }): Promise<void> {
    try {
      await this.#manager.signinRedirect({ state: location.hash, ...how });
      await new Promise(() => {}); // the page is about to go
    } catch (error) {
      this.#setState({ kind: 'signed-out', problem: String(error) });
    }
  }

  #setState(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Until the access token ends; an issuer that does not say is believed to mean an hour. */
const millisecondsLeft = ({ expires_in }: User): number => Math.max(0, expires_in ?? 3_600) * 1_000;

const hashFrom = (state: unknown): string => (typeof state === 'string' ? state : '');

/** Roles are read where the API reads them, which believes nothing that is said here: they only choose the pages. */
function personOf({ access_token, profile }: User, rolesClaim: string): Person {
  return {
    id: profile.sub,
    name: profile.name ?? profile.sub,
    roles: rolesIn(readClaims(access_token)[rolesClaim] ?? profile[rolesClaim]),
  };
}

/** Nothing where the token is none that can be read. */
function readClaims(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeJwt(token);
  } catch {
    return {};
  }
}
