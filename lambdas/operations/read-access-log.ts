import type { AccessEntry } from '../../core/domain/access.ts';
import { auditEventBundle } from '../../core/domain/fhir-audit-event.ts';
import { type LogPositions, readTogether, refsOfPerson } from '../../core/stores/linked-access-logs.ts';
import type { Clients } from '../clients.ts';
import type { Call, Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';

const entriesPerPage = 100;
/** Limits the reads for one answer, because a filter may match hardly any entry. */
const readsMax = 20;

export const readAccessLog: Handler<'readAccessLog'> = async (call, clients) => {
  const { accessLog } = clients.stores;
  const { patientRef, query, acceptsFhir, apiUrl } = call;
  const { order = 'oldest' } = query;
  const pages = pageTokens<LogPositions>(clients.tokenCipher, `access logs of ${patientRef}, ${order} first`);
  const patientRefs = await refsOfPerson(accessLog, patientRef);
  await recordLinked(patientRefs, call, clients);
  const entries: AccessEntry[] = [];
  let position = await pages.positionOf(query.nextToken);
  for (let reads = 0; reads < readsMax && entries.length < entriesPerPage; reads++) {
    const page = await readTogether(accessLog, patientRefs, entriesPerPage - entries.length, position, order);
    entries.push(...page.entries.filter((entry) => matches(entry, query)));
    position = page.positions;
    if (position === undefined) break;
  }
  const next = await pages.nextToken(position);
  if (!acceptsFhir) return { body: { patientRefs, entries, ...next } };
  const self = `${apiUrl}/patients/${patientRef}/access-log`;
  const filter = query as Readonly<Record<string, string>>;
  return {
    fhir: auditEventBundle(entries, self, next.nextToken && `${self}?${new URLSearchParams({ ...filter, ...next })}`),
  };
};

/** Records the access in each log but the one asked for, whose entry the API writes after the handler. */
export async function recordLinked(
  [, ...linked]: readonly string[],
  { accessDraft }: Pick<Call<'readAccessLog'>, 'accessDraft'>,
  { patientRecord }: Pick<Clients, 'patientRecord'>,
): Promise<void> {
  await Promise.all(linked.map(async (ref) => await patientRecord.recordAccess(accessDraft(ref))));
}

type Filter = Call<'readAccessLog'>['query'];

const matches = ({ agent, operation, recorded }: AccessEntry, filter: Filter): boolean =>
  (filter.who === undefined || agent.who === filter.who) &&
  (filter.role === undefined || agent.role === filter.role) &&
  (filter.operation === undefined || operation === filter.operation) &&
  (filter.from === undefined || Date.parse(recorded) >= Date.parse(filter.from)) &&
  (filter.to === undefined || Date.parse(recorded) < Date.parse(filter.to));
