import { createHash } from 'node:crypto';
import { problemsOfCareRecords } from '../../core/domain/care-record.ts';
import { type Kvnr, normalKvnr } from '../../core/domain/kvnr.ts';
import { LineError, UnusableAnswer } from '../line/line-error.ts';
import { parseJson } from './answer-body.ts';

/**
 * Checks care records in our shape. The patient comes first: other faults in another patient's answer are not reported.
 * @returns what breaks the contract although it can be stored; undefined if nothing does
 * @throws LineError; UnusableAnswer
 */
export function flagsOf(json: Buffer, kvnr: Kvnr): string | undefined {
  const operation = 'care-records';
  const { value, isTooDeep } = parseJson(json, operation);
  const named = kvnrIn(value);
  if (named !== undefined && named !== kvnr) throw new LineError('wrong-patient', { operation, status: 200 });
  const { hard, flags } = isTooDeep ? { hard: 'answer: nested too deeply' } : problemsOfCareRecords(value);
  if (hard === undefined) return flags;
  if (named === undefined) throw new LineError('contract', { operation, status: 200, problem: hard }); // perhaps a page of a proxy
  throw unusable(hard, json);
}

/** Creates the error of a complete answer that names the KVNR asked for, and cannot be stored. @param problem fixed words */
export const unusable = (problem: string, body: Buffer): UnusableAnswer =>
  new UnusableAnswer(
    { operation: 'care-records', status: 200, problem },
    createHash('sha256').update(body).digest('hex'),
  );

/** Returns the KVNR that an answer names, as we write it. */
export function kvnrIn(value: unknown): string | undefined {
  const { kvnr } = Object(value) as { readonly kvnr?: unknown };
  return typeof kvnr === 'string' ? normalKvnr(kvnr) : undefined;
}
