import type { Role } from '../../core/domain/access.ts';

/** The caller of a request. */
export interface Actor {
  /** the token's `sub` */
  readonly who: string;
  readonly name?: string;
  readonly roles: readonly Role[];
  /** the issuer has left the roles out of the token, such as Entra ID for people in many groups */
  readonly isWithoutRoles?: boolean;
}
