import type { Role } from '../../core/domain/access.ts';

export interface DemoUser {
  readonly sub: string;
  readonly name: string;
}

/** One user for each role. */
export const demoUsers: Readonly<Record<Role, DemoUser>> = {
  clinician: { sub: 'demo-clinician', name: 'Dr. Miriam Vogt' },
  operator: { sub: 'demo-operator', name: 'Jonas Brandt' },
  management: { sub: 'demo-management', name: 'Katrin Seidel' },
  auditor: { sub: 'demo-auditor', name: 'Peter Hollmann' },
  integration: { sub: 'demo-integration', name: 'Data warehouse' },
};

/** Returns the claims of a demo user. Returns undefined for any other subject. */
export function claimsOf(
  sub: string,
): { readonly sub: string; readonly name: string; readonly roles: string[] } | undefined {
  const [role, user] = Object.entries(demoUsers).find(([, each]) => each.sub === sub) ?? [];
  return role !== undefined && user !== undefined ? { sub, name: user.name, roles: [role] } : undefined;
}
