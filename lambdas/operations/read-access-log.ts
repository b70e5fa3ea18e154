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
  const { patientRef, query, acceptsFhir, apiUrl } = call;
  const { order = 'oldest', nextToken, ...filter } = query;
  const search = { order, nextToken, entriesMax: entriesPerPage, filter };
  const { patientRefs, entries, nextToken: next } = await readLogPage(call, clients, search);
  if (!acceptsFhir) return { body: { patientRefs, entries, ...(next !== undefined && { nextToken: next }) } };
  const self = `${apiUrl}/patients/${patientRef}/access-log`;
  const asked = query as Readonly<Record<string, string>>;
  return {
    fhir: auditEventBundle(
      entries,
      self,
      next === undefined ? undefined : `${self}?${new URLSearchParams({ ...asked, nextToken: next })}`,
    ),
  };
};

interface LogSearch {
  readonly order: 'oldest' | 'newest';
  readonly nextToken: string | undefined;
  readonly entriesMax: number;
  readonly filter?: Filter;
}

/**
 * Reads one page of a person's access logs, and records the access in those that are linked to the one asked for.
 * @throws Problem `invalid-request` if no answer to this search held the token
 */
export async function readLogPage(
  { patientRef, accessDraft }: Pick<Call<'readAccessLog'>, 'patientRef' | 'accessDraft'>,
  clients: Pick<Clients, 'stores' | 'tokenCipher' | 'patientRecord'>,
  { order, nextToken, entriesMax, filter = {} }: LogSearch,
) {
  const { accessLog } = clients.stores;
  const pages = pageTokens<LogPositions>(clients.tokenCipher, `access logs of ${patientRef}, ${order} first`);
  const patientRefs = await refsOfPerson(accessLog, patientRef);
  await recordLinked(patientRefs, { accessDraft }, clients);
  const entries: AccessEntry[] = [];
  let position = await pages.positionOf(nextToken);
  for (let reads = 0; reads < readsMax && entries.length < entriesMax; reads++) {
    const page = await readTogether(accessLog, patientRefs, entriesMax - entries.length, position, order);
    entries.push(...page.entries.filter((entry) => matches(entry, filter)));
    position = page.positions;
    if (position === undefined) break;
  }
  return { patientRefs, entries, ...(await pages.nextToken(position)) };
}

/** Records the access in each log but the one asked for, whose entry the API writes after the handler. */
export async function recordLinked(
  [, ...linked]: readonly string[],
  { accessDraft }: Pick<Call<'readAccessLog'>, 'accessDraft'>,
  { patientRecord }: Pick<Clients, 'patientRecord'>,
): Promise<void> {
  await Promise.all(linked.map(async (ref) => await patientRecord.recordAccess(accessDraft(ref))));
}

type Filter = Omit<Call<'readAccessLog'>['query'], 'order' | 'nextToken'>;

const matches = ({ agent, operation, recorded }: AccessEntry, filter: Filter): boolean =>
  (filter.who === undefined || agent.who === filter.who) &&
  (filter.role === undefined || agent.role === filter.role) &&
  (filter.operation === undefined || operation === filter.operation) &&
  (filter.from === undefined || Date.parse(recorded) >= Date.parse(filter.from)) &&
  (filter.to === undefined || Date.parse(recorded) < Date.parse(filter.to));
