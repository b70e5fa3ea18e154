import { createHash } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { CodecError } from '../../core/crypto/key-wrapper.ts';
import { patientRefsIn } from '../../core/domain/patient-refs.ts';
import { forEachParallel } from '../../core/stores/parallel.ts';
import { isEncrypted, passingPlaintext } from '../../core/temporal/codec.ts';
import type { Call, Handler } from '../http/operation.ts';
import { Problem } from '../http/problems.ts';
import { logger } from '../observability.ts';

/** The Temporal UI requests each event of a history separately, and again while it changes. One entry covers this period. */
const entryPeriodMs = 5 * 60_000;
/** Number of access logs that are appended to at the same time. */
const logsAtOnce = 16;

type JsonPayload = Call<'decodePayloads'>['body']['payloads'][number];

/**
 * Implements Temporal's remote codec protocol. Before the answer is sent, the access is recorded in the access log of
 * every patient that the payloads name, and in the Lambda's log. The entries are written to the table directly. A
 * patient's workflow would grow with each read of its history, and the Temporal UI would read it again.
 */
export const decodePayloads: Handler<'decodePayloads'> = async (call, { payloadCodec, stores: { accessLog } }) => {
  const { body, actor, accessDraft } = call;
  const payloads = body.payloads.map(payloadOf);
  const decoded = await passingPlaintext(payloadCodec).decode(payloads).catch(rethrow);
  const read = decoded.filter((_, index) => isEncrypted(payloads[index] ?? {}));
  const patientRefs = patientRefsIn(read.map(({ data }) => Buffer.from(data ?? []).toString('utf8')));
  const period = Math.floor(Date.now() / entryPeriodMs);
  await forEachParallel(patientRefs, logsAtOnce, async (patientRef) => {
    const draft = accessDraft(patientRef);
    await accessLog.append(patientRef, [{ ...draft, id: `${draft.operation}:${period}:${actor.who}` }]);
  });
  logger.info('workflow payloads read', {
    who: pseudonymOf(actor.who),
    payloads: read.length,
    patients: patientRefs.length,
  });
  return { body: { payloads: decoded.map(jsonOf) } };
};

const payloadOf = ({ metadata = {}, data }: JsonPayload): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, new Uint8Array(Buffer.from(value, 'base64'))]),
  ),
  ...(data !== undefined && { data: new Uint8Array(Buffer.from(data, 'base64')) }),
});

const jsonOf = ({ metadata, data }: Payload): JsonPayload => ({
  metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
  ...(data && { data: base64(data) }),
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Returns a pseudonym for a subject. Most subjects are pseudonyms already, but some issuers use e-mail addresses. */
const pseudonymOf = (who: string): string =>
  who.includes('@') ? `sha256:${createHash('sha256').update(who).digest('hex').slice(0, 16)}` : who;

function rethrow(error: unknown): never {
  if (!(error instanceof CodecError) || error.fault === 'unavailable') throw error;
  throw new Problem('payload-unreadable', {}, { cause: error });
}
