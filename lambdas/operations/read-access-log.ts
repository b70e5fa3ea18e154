import type { AccessEntry } from '../../core/domain/access.ts';
import { auditEventBundle } from '../../core/domain/fhir-audit-event.ts';
import type { Call, Handler } from '../http/operation.ts';
import { pageTokens } from '../http/page-tokens.ts';

const entriesPerPage = 100;
/** Limits the reads for one answer, because a filter may match hardly any entry. */
const readsMax = 20;

export const readAccessLog: Handler<'readAccessLog'> = async (call, { stores: { accessLog }, tokenCipher }) => {
  const { patientRef, query, acceptsFhir, apiUrl } = call;
  const { order = 'oldest' } = query;
  const pages = pageTokens<number>(tokenCipher, `access log of ${patientRef}, ${order} first`);
  const entries: AccessEntry[] = [];
  let position = await pages.positionOf(query.nextToken);
  for (let reads = 0; reads < readsMax && entries.length < entriesPerPage; reads++) {
    const page = await accessLog.read(patientRef, entriesPerPage - entries.length, position, order);
    entries.push(...page.entries.filter((entry) => matches(entry, query)));
    position = page.lastKey;
    if (position === undefined) break;
  }
  const next = await pages.nextToken(position);
  if (!acceptsFhir) return { body: { entries, ...next } };
  const self = `${apiUrl}/patients/${patientRef}/access-log`;
  const filter = query as Readonly<Record<string, string>>;
  return {
    fhir: auditEventBundle(entries, self, next.nextToken && `${self}?${new URLSearchParams({ ...filter, ...next })}`),
  };
};

type Filter = Call<'readAccessLog'>['query'];

const matches = ({ agent, operation, recorded }: AccessEntry, filter: Filter): boolean =>
  (filter.who === undefined || agent.who === filter.who) &&
  (filter.role === undefined || agent.role === filter.role) &&
  (filter.operation === undefined || operation === filter.operation) &&
  (filter.from === undefined || Date.parse(recorded) >= Date.parse(filter.from)) &&
  (filter.to === undefined || Date.parse(recorded) < Date.parse(filter.to));
