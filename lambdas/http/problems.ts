/** Every problem that the API answers (RFC 9457): its status and its title. docs/reference/problems.md explains each under its name. */
export const problems = {
  'invalid-request': { status: 400, title: 'The request does not fit the contract' },
  unauthenticated: { status: 401, title: 'A valid token is needed' },
  forbidden: { status: 403, title: 'None of your roles may do this' },
  'not-found': { status: 404, title: 'There is no such operation' },
  'patient-unknown': { status: 404, title: 'There is no such patient' },
  'no-sync-yet': { status: 404, title: 'Nobody has asked for a sync of this patient yet' },
  'document-unknown': { status: 404, title: 'There is no such document' },
  'no-run-yet': { status: 404, title: 'There was no run yet' },
  'line-unknown': { status: 404, title: 'No worker has kept this line yet' },
  'no-run-under-way': { status: 409, title: 'No run is under way' },
  'no-decision-awaited': { status: 409, title: 'No decision about removals is awaited' },
  'removals-changed': { status: 409, title: 'Other removals wait for a decision by now' },
  'line-superseded': { status: 409, title: 'Somebody else paused or resumed the line just then' },
  'care-records-changed': { status: 409, title: 'The care records have changed since the first page' },
  'link-expired': { status: 410, title: 'This link has expired' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body has to be JSON' },
  'payload-unreadable': { status: 422, title: 'A payload cannot be decrypted' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'The service is unavailable for now' },
  'sync-unavailable': { status: 503, title: 'The sync cannot be reached for now' },
  'storage-unavailable': { status: 503, title: 'What is stored cannot be reached for now' },
  'access-log-unavailable': { status: 503, title: 'The access could not be recorded' },
  'line-unavailable': { status: 503, title: 'The line cannot be reached for now' },
  'line-not-silent': { status: 503, title: 'The line is paused, but its silence is not proved yet' },
} as const;
export type ProblemName = keyof typeof problems;

/** A problem's `type`: a name, no address. */
export const problemType = (name: ProblemName): string => `urn:epa-sync:problem:${name}`;

/** What is wrong with one field of a request: where it is, and what it should be; never what it was. */
export interface FieldError {
  readonly in: 'body' | 'path' | 'query';
  /** JSON pointer within that part */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemDetails {
  /** for people: what to do; never a value of the request, never a person */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
}

/** Ends an operation with a problem. */
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
