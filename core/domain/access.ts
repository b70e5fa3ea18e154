/**
 * The kinds of access to one patient's data, with their action in FHIR R4 (AuditEvent.action: create, read, update,
 * delete, execute).
 */
export const accessOperations = {
  lookup: 'R',
  found: 'R',
  'read-patient': 'R',
  'read-document': 'R',
  'request-sync': 'E',
  'read-sync': 'R',
  'read-access-log': 'R',
  'verify-access-log': 'R',
  /** a document with the whole log is made, for the patient */
  'report-access-log': 'R',
  'read-workflow-payload': 'R',
  /** the patient is contained in an export */
  export: 'R',
  /** by the sync itself: a new patient is stored, or their care records */
  import: 'C',
  change: 'U',
  removal: 'D',
  /** by the sync itself: the same person has another KVNR, and so another log */
  'kvnr-change': 'U',
} as const;
export type AccessOperation = keyof typeof accessOperations;

/** The roles of people, and of other systems: `integration` (docs/guides/api-with-curl.md). */
export const roles = ['operator', 'management', 'clinician', 'auditor', 'integration'] as const;
export type Role = (typeof roles)[number];

/** Returns the known roles in a claim of a token, which is a list or a single role. */
export function rolesIn(claimed: unknown): Role[] {
  const names: readonly unknown[] = Array.isArray(claimed) ? claimed : [claimed];
  return roles.filter((role) => names.includes(role));
}

/**
 * Returns a claim of a token. The name of a nested claim has dots, as in `realm_access.roles`. Names of claims may have
 * dots themselves, as in `https://klinik.example/roles`: a claim with the longer name comes first.
 */
export function claimAt(claims: unknown, name: string): unknown {
  if (!(claims instanceof Object)) return undefined;
  for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) {
    const claim = name.slice(0, end);
    if (!Object.hasOwn(claims, claim)) continue;
    const value = (claims as Readonly<Record<string, unknown>>)[claim];
    return end === name.length ? value : claimAt(value, name.slice(end + 1));
  }
  return undefined;
}

/**
 * Returns whether the issuer has left a claim out of the token (OpenID Connect Core, 5.6.2). Entra ID does so for people
 * in more than 200 groups.
 * @see https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference#groups-overage-claim
 */
export function isLeftOut(claims: Readonly<Record<string, unknown>>, name: string): boolean {
  const { _claim_names: names, hasgroups: hasGroups } = claims;
  return (names instanceof Object && Object.hasOwn(names, name)) || (name === 'groups' && hasGroups === true);
}

/**
 * One access, before it has a seq in the patient's log (docs/reference/access-log.md). Holds no medical content and no
 * KVNR.
 */
export interface AccessDraft {
  /** random, or derived from the change. Appending the same ID again has no effect */
  readonly id: string;
  readonly patientRef: string;
  /** ISO 8601 UTC with milliseconds */
  readonly recorded: string;
  readonly operation: AccessOperation;
  /** `refused`: the role was missing; `failed`: there was no such data, or it could not be returned */
  readonly outcome: 'success' | 'refused' | 'failed';
  readonly agent: {
    /** the token's `sub`, or `epa-sync` */
    readonly who: string;
    /** the token's `name`; absent when it has none */
    readonly name?: string;
    readonly role: Role | 'system' | 'none';
  };
  readonly source: { readonly component: 'api' | 'sync'; readonly correlationId?: string; readonly address?: string };
  /** the object of the access: the SHA-256 of a document, a syncId, a run, a list or an export */
  readonly entity?: { readonly kind: 'document' | 'sync' | 'list' | 'export'; readonly id: string };
  /** of a `kvnr-change`: the same person under the KVNR of before, whose log comes before this one */
  readonly previousPatientRef?: string;
  /** of a `kvnr-change`: the same person under the KVNR of now, whose log goes on */
  readonly nextPatientRef?: string;
}

/** Maximum length of a label, in characters. A longer name is truncated. */
const agentLabelMax = 200;

/**
 * Returns one line of text that identifies a person: the name and the `sub` of the token. Names are not unique, and a
 * `sub` is often a number.
 */
export function agentLabel({ who, name = '' }: Pick<AccessDraft['agent'], 'who' | 'name'>): string {
  const room = agentLabelMax - who.length - 3;
  const shown = name.replace(/\p{Cc}/gu, ' ').trim();
  return shown === '' || room < 1 ? who : `${shown.slice(0, room)} (${who})`;
}

/** One entry of a patient's access log, which is a hash chain. */
export interface AccessEntry extends AccessDraft {
  /** 1, 2, 3, … within the patient */
  readonly seq: number;
  /** hash of the previous entry; 64 zeros for the first entry */
  readonly prevHash: string;
  /** when the previous entry was recorded. Distinguishes expired entries from removed ones */
  readonly prevRecorded?: string;
  /** 2: the hash covers `expiresAt`. Absent in entries of 0.2.0, whose hash covers neither of both */
  readonly format?: 2;
  /** epoch second at which the entry expires, always three years after `recorded`; only with `format` */
  readonly expiresAt?: number;
  /** SHA-256, hex, over all other fields */
  readonly hash: string;
}
