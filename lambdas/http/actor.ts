import type { Role } from '../../core/domain/access.ts';

/** The caller of a request. */
export interface Actor {
  /** the token's `sub` */
  readonly who: string;
  readonly name?: string;
  readonly roles: readonly Role[];
}
