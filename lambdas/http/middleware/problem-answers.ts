import { CodecError } from '../../../core/crypto/key-wrapper.ts';
import { AccessLogError } from '../../../core/stores/access-log.ts';
import { DailySyncError } from '../../../core/temporal/daily-sync-client.ts';
import { InsurerLineError } from '../../../core/temporal/insurer-line-client.ts';
import { PatientRecordError } from '../../../core/temporal/patient-record-client.ts';
import { logger } from '../../observability.ts';
import { operationOutcome } from '../operation-outcome.ts';
import { Problem, type ProblemDetails, type ProblemName, problems, problemType } from '../problems.ts';
import { operationOf } from './operation-search.ts';
import { headerOf, type Middleware } from './request.ts';

/** Retry-After of every 503, seconds. */
const unavailableSeconds = 2;

/** Answers every error with a problem (RFC 9457), or with an OperationOutcome of FHIR. Uses fixed words: no value of the request, and no internals. */
export function problemAnswers(): Middleware {
  return {
    onError: (request) => {
      const { facts } = request.context;
      const problem = problemOf(request.error);
      const { status, title } = problems[problem.problem];
      const { retryAfterSeconds, ...details } = problem.details;
      if (status >= 500) logger.error('failed', { problem: problem.problem, causes: causesOf(request.error) });
      const isFhir = facts.operation !== undefined && operationOf(facts).group === 'fhir';
      request.response = {
        statusCode: status,
        headers: {
          'content-type': isFhir ? 'application/fhir+json' : 'application/problem+json',
          ...(status === 401 && { 'www-authenticate': challenge(headerOf(request.event, 'authorization')) }),
          ...(status === 503 && { 'retry-after': String(unavailableSeconds) }),
          ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
        },
        body: JSON.stringify(
          isFhir
            ? operationOutcome(problem)
            : {
                type: problemType(problem.problem),
                title,
                status,
                ...details,
                correlationId: facts.correlationId,
              },
        ),
      };
    },
  };
}

/** Returns the WWW-Authenticate header. It names an error only if the request has a token (RFC 6750). */
const challenge = (authorization: string | undefined): string =>
  authorization === undefined ? 'Bearer realm="epa-sync"' : 'Bearer realm="epa-sync", error="invalid_token"';

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const by = { cause: error };
  if (error instanceof DailySyncError) return new Problem(dailySyncProblems[error.fault], madeBefore(error), by);
  if (error instanceof InsurerLineError) return new Problem(lineProblems[error.fault], {}, by);
  if (error instanceof PatientRecordError) return new Problem(patientRecordProblems[error.fault], {}, by);
  if (error instanceof AccessLogError) return new Problem('access-log-unavailable', {}, by);
  if (error instanceof CodecError && error.fault === 'unavailable') return new Problem('unavailable', {}, by);
  if (isAwsError(error)) return new Problem('storage-unavailable', {}, by);
  if (error instanceof Error && error.name === 'TimeoutError') return new Problem('unavailable', {}, by);
  return new Problem('internal', {}, by);
}

function madeBefore({ made }: DailySyncError): ProblemDetails {
  if (made === undefined) return {};
  const { decision, by, decidedAt } = made;
  return { made: { decision, by, decidedAt } };
}

const dailySyncProblems: Readonly<Record<DailySyncError['fault'], ProblemName>> = {
  'no-run': 'no-run-under-way',
  'run-stopping': 'run-stopping',
  'no-decision-awaited': 'no-decision-awaited',
  'decision-invalid': 'invalid-request',
  'decision-made': 'decision-made',
  'decision-outdated': 'decision-outdated',
  'decision-unknown': 'decision-unknown',
  'no-worker': 'sync-unavailable',
  'temporal-unavailable': 'sync-unavailable',
};
const lineProblems: Readonly<Record<InsurerLineError['fault'], ProblemName>> = {
  invalid: 'invalid-request',
  'unknown-insurer': 'line-unknown',
  unavailable: 'line-unavailable',
  'not-silent': 'line-not-silent',
  resumed: 'line-superseded',
  superseded: 'line-superseded',
};
const patientRecordProblems: Readonly<Record<PatientRecordError['fault'], ProblemName>> = {
  'patient-unknown': 'patient-unknown',
  'being-removed': 'patient-being-removed',
  'temporal-unavailable': 'sync-unavailable',
  'access-log-unavailable': 'access-log-unavailable',
};

/** Returns whether AWS rejected a call or did not answer in time. The AWS clients add `$metadata` to such errors. */
const isAwsError = (error: unknown): boolean => error instanceof Error && '$metadata' in error;

/**
 * Returns the chain of causes, innermost last: names, faults and places in the code. Leaves out messages, because those
 * of libraries may quote input.
 */
function causesOf(error: unknown): object[] {
  const causes: object[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    const { name, fault, code } = cause as Error & { readonly fault?: unknown; readonly code?: unknown };
    const at = cause.stack
      ?.split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 5)
      .map((line) => line.trim());
    causes.push({ name, ...(typeof fault === 'string' && { fault }), ...(typeof code === 'string' && { code }), at });
  }
  return causes;
}
