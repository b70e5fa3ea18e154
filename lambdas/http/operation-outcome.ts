import type { OperationOutcome, OperationOutcomeIssue } from 'fhir/r4.js';
import { epaSyncUri } from '../../core/domain/fhir/uris.ts';
import { type Problem, problems } from './problems.ts';

/** IssueType of FHIR R4 for each status of a problem. */
const issueTypes: Readonly<Record<(typeof problems)[keyof typeof problems]['status'], OperationOutcomeIssue['code']>> =
  {
    400: 'invalid',
    401: 'login',
    403: 'forbidden',
    404: 'not-found',
    409: 'conflict',
    410: 'expired',
    413: 'too-long',
    415: 'not-supported',
    422: 'processing',
    429: 'throttled',
    500: 'exception',
    503: 'transient',
  };

/** Returns a problem as FHIR says it. Of an invalid request, one issue for each wrong field, without its value. */
export function operationOutcome({ problem, details }: Problem): OperationOutcome {
  const { status, title } = problems[problem];
  const issue = (diagnostics?: string): OperationOutcomeIssue => ({
    severity: 'error',
    code: issueTypes[status],
    details: { coding: [{ system: epaSyncUri('problem'), code: problem }], text: title },
    ...(diagnostics !== undefined && { diagnostics }),
  });
  const issues = (details.errors ?? []).map(({ in: part, pointer, detail }) => issue(`${part}${pointer}: ${detail}`));
  return { resourceType: 'OperationOutcome', issue: issues.length > 0 ? issues : [issue(details.detail)] };
}
