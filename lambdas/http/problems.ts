import type { MadeDecision } from '../../core/domain/removal-decision.ts';

/**
 * All problems that the API returns (RFC 9457), with status and title. docs/reference/problems.md explains each one
 * under its name.
 */
export const problems = {
  'invalid-request': { status: 400, title: 'The request does not match the contract' },
  unauthenticated: { status: 401, title: 'A valid token is required' },
  forbidden: { status: 403, title: 'None of your roles may do this' },
  'not-found': { status: 404, title: 'There is no such operation' },
  'patient-unknown': { status: 404, title: 'There is no such patient' },
  'no-sync-yet': { status: 404, title: 'No sync of this patient was ever requested' },
  'document-unknown': { status: 404, title: 'There is no such document' },
  'resource-unknown': { status: 404, title: 'There is no such resource' },
  'no-run-yet': { status: 404, title: 'There is no such run' },
  'issue-unknown': { status: 404, title: 'There is no such issue' },
  'line-unknown': { status: 404, title: 'No worker has ever held this line' },
  'export-unknown': { status: 404, title: 'There is no such export' },
  'no-run-under-way': { status: 409, title: 'No run is in progress' },
  'run-stopping': { status: 409, title: 'The run is being stopped' },
  'decision-unknown': { status: 404, title: 'The run has not asked for this decision' },
  'no-decision-awaited': { status: 409, title: 'The run does not wait for a decision about removals' },
  'decision-made': { status: 409, title: 'An operator has made this decision before' },
  'decision-outdated': {
    status: 409,
    title: 'The decision is about an older list: a newer one is there or on its way',
  },
  'patient-being-removed': { status: 409, title: 'The patient is being removed' },
  'line-superseded': { status: 409, title: 'Another operator paused or resumed the line' },
  'care-records-changed': { status: 409, title: 'The care records have changed since the first page' },
  'export-in-progress': { status: 409, title: 'Another export is in progress' },
  'export-ended': { status: 409, title: 'The export has ended' },
  'link-expired': { status: 410, title: 'This link has expired' },
  'cursor-too-old': { status: 410, title: 'The changes after this cursor are not kept any more' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body has the wrong media type' },
  'payload-unreadable': { status: 422, title: 'A payload cannot be decrypted' },
  'document-not-in-fhir': { status: 422, title: 'The document cannot be given as FHIR' },
  'report-too-large': { status: 422, title: 'The report is too large' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'The service is unavailable' },
  'sync-unavailable': { status: 503, title: 'The sync is unavailable' },
  'storage-unavailable': { status: 503, title: 'The storage is unavailable' },
  'access-log-unavailable': { status: 503, title: 'The access could not be recorded' },
  'line-unavailable': { status: 503, title: 'The line is unavailable' },
  'line-not-silent': { status: 503, title: 'The line is paused, but not confirmed silent yet' },
} as const;
export type ProblemName = keyof typeof problems;

/** Returns the `type` of a problem: a name, not an address. */
export const problemType = (name: ProblemName): string => `urn:epa-sync:problem:${name}`;

/** A wrong field of a request: where it is, and what it should be. Never holds the value. */
export interface FieldError {
  readonly in: 'body' | 'path' | 'query';
  /** JSON pointer in that part */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemDetails {
  /** tells people what to do; holds no value of the request and no person */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  /** with `too-many-requests`: sent as Retry-After, and not in the body */
  readonly retryAfterSeconds?: number;
  /** with `decision-made`: who decided what, and when */
  readonly made?: Pick<MadeDecision, 'decision' | 'by' | 'decidedAt'>;
  /** with `export-in-progress`: its ID */
  readonly exportId?: string;
}

/** Thrown to end an operation with a problem. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly problem: ProblemName;
  readonly details: ProblemDetails;
  constructor(problem: ProblemName, details: ProblemDetails = {}, options?: ErrorOptions) {
    super(`problem ${problem}`, options);
    this.problem = problem;
    this.details = details;
  }
}
