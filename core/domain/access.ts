/** What was done with one patient's data, and its action in FHIR R4 (AuditEvent.action: create, read, update, delete, execute). */
export const accessOperations = {
  lookup: 'R',
  'read-patient': 'R',
  'read-document': 'R',
  'request-sync': 'E',
  'read-sync': 'R',
  'read-access-log': 'R',
  'verify-access-log': 'R',
  'read-workflow-payload': 'R',
  /** by the sync itself: who was not stored before is; or their care records are */
  import: 'C',
  change: 'U',
  removal: 'D',
} as const;
export type AccessOperation = keyof typeof accessOperations;

/** Who may do what (docs/guides/api-with-curl.md). */
export const roles = ['operator', 'management', 'clinician', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** Ours of those that a token's claim names: a list, or a single one. */
export function rolesIn(claimed: unknown): Role[] {
  const names: readonly unknown[] = Array.isArray(claimed) ? claimed : [claimed];
  return roles.filter((role) => names.includes(role));
}

/** One access, before it has its place in the patient's log (docs/reference/access-log.md). Never medical content, never a KVNR. */
export interface AccessDraft {
  /** random, or what names the change: to append the same ID again changes nothing */
  readonly id: string;
  readonly patientRef: string;
  /** ISO 8601 UTC with milliseconds */
  readonly recorded: string;
  readonly operation: AccessOperation;
  /** refused: for want of a role; failed: there was nothing, or it could not be given */
  readonly outcome: 'success' | 'refused' | 'failed';
  readonly agent: {
    /** the token's `sub`, or `epa-sync` */
    readonly who: string;
    /** the token's `name`; absent when it has none */
    readonly name?: string;
    readonly role: Role | 'system' | 'none';
  };
  readonly source: { readonly component: 'api' | 'sync'; readonly correlationId?: string; readonly address?: string };
  /** what of the patient's: a document's SHA-256, a syncId, a run or a list */
  readonly entity?: { readonly kind: 'document' | 'sync' | 'list'; readonly id: string };
}

/** A `sub` alone is a number at most issuers; a name alone may be two people's. Longer than this, the name is cut. Characters. */
const agentLabelMax = 200;

/** One line of text for whoever reads later who it was: the name that the token has, and whose token it is. */
export function agentLabel({ who, name = '' }: Pick<AccessDraft['agent'], 'who' | 'name'>): string {
  const room = agentLabelMax - who.length - 3;
  const shown = name.replace(/\p{Cc}/gu, ' ').trim();
  return shown === '' || room < 1 ? who : `${shown.slice(0, room)} (${who})`;
}

/** One line of a patient's access log: a link of a hash chain. */
export interface AccessEntry extends AccessDraft {
  /** 1, 2, 3, … within the patient */
  readonly seq: number;
  /** hash of the entry before; 64 zeros for the first */
  readonly prevHash: string;
  /** when the entry before was recorded: tells a log whose oldest entries have expired from one that was cut */
  readonly prevRecorded?: string;
  /** SHA-256, hex, over all other fields */
  readonly hash: string;
}
