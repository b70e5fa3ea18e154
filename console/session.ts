import { ErrorResponse, InMemoryWebStorage, type User, UserManager, WebStorageStateStore } from 'oidc-client-ts';
import type { Role } from '../core/domain/access.ts';
import type { Settings } from './settings.ts';

const knownRoles: readonly Role[] = ['operator', 'management', 'clinician', 'auditor'];
/** So long after the issuer was not reached it is asked again, ms. */
const renewAgainMs = 5_000;
/** Says that this tab was signed in, and nothing of who: a reload then asks the issuer, which may know them still. */
const wasSignedIn = 'epa-sync.was-signed-in';

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
  readonly #listeners = new Set<() => void>();
  #user: User | undefined;
  #state: SessionState = { kind: 'signed-out' };
  #renewing: Promise<boolean> | undefined;

  constructor({ oidcIssuer, oidcClientId }: Settings) {
    this.#manager = new UserManager({
      authority: oidcIssuer,
      client_id: oidcClientId,
      redirect_uri: `${location.origin}/`,
      post_logout_redirect_uri: `${location.origin}/`,
      scope: 'openid profile',
      loadUserInfo: false,
      automaticSilentRenew: false, // without a refresh token it would open a frame, which the policy forbids
      userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      stateStore: new WebStorageStateStore({ store: sessionStorage }),
      accessTokenExpiringNotificationTimeInSeconds: 60,
    });
    this.#manager.events.addAccessTokenExpiring(() => void this.renew());
  }

  get state(): SessionState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes what the issuer answered, if this is its answer; after a reload asks whether it knows them still. */
  async begin(): Promise<void> {
    const query = new URLSearchParams(location.search);
    if (query.has('state') && (query.has('code') || query.has('error'))) return await this.#takeAnswer();
    if (query.size > 0) history.replaceState(null, '', `${location.pathname}${location.hash}`); // of a sign-out
    if (sessionStorage.getItem(wasSignedIn) !== null) await this.#goToIssuer({ prompt: 'none' });
  }

  async signIn(): Promise<void> {
    await this.#goToIssuer({});
  }

  async signOut(): Promise<void> {
    sessionStorage.removeItem(wasSignedIn);
    await this.#manager.signoutRedirect();
  }

  /** The access token; undefined when nobody is signed in. */
  get token(): string | undefined {
    return this.#user?.access_token;
  }

  /** Asks for a new token once; whoever comes meanwhile waits for the same answer. @returns whether there is one */
  renew(): Promise<boolean> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<boolean> {
    if (this.#state.kind !== 'signed-in') return false;
    const { person } = this.#state;
    const mayRenew = this.#user?.refresh_token !== undefined;
    try {
      const user = mayRenew ? await this.#manager.signinSilent() : null;
      if (user !== null) {
        this.#user = user;
        return true;
      }
    } catch (error) {
      if (!(error instanceof ErrorResponse)) {
        setTimeout(() => void this.renew(), renewAgainMs); // the issuer has not said no: it was not reached
        return false;
      }
    }
    this.#set({ kind: 'expired', person });
    return false;
  }

  async #takeAnswer(): Promise<void> {
    try {
      const user = await this.#manager.signinRedirectCallback();
      this.#user = user;
      const hash = typeof user.state === 'string' ? user.state : '';
      history.replaceState(null, '', `${location.pathname}${hash}`);
      sessionStorage.setItem(wasSignedIn, '');
      this.#set({ kind: 'signed-in', person: personOf(user) });
    } catch (error) {
      sessionStorage.removeItem(wasSignedIn);
      history.replaceState(null, '', location.pathname);
      const { error: code } = error as { error?: string };
      const isExpected = code === 'login_required' || code === 'interaction_required';
      this.#set({ kind: 'signed-out', ...(!isExpected && { problem: code ?? String(error) }) });
    }
  }

  async #goToIssuer(how: { readonly prompt?: 'none' }): Promise<void> {
    try {
      await this.#manager.signinRedirect({ state: location.hash, ...how });
      await new Promise(() => {}); // the page is about to go
    } catch (error) {
      this.#set({ kind: 'signed-out', problem: String(error) });
    }
  }

  #set(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

function personOf({ profile }: User): Person {
  const roles = Array.isArray(profile['roles']) ? profile['roles'] : [];
  return {
    id: profile.sub,
    name: profile.name ?? profile.sub,
    roles: knownRoles.filter((role) => roles.includes(role)),
  };
}
