import { auditEventBundle } from '../../../core/domain/fhir-audit-event.ts';
import type { Handler } from '../../http/operation.ts';
import { readLogPage } from '../read-access-log.ts';
import { fhirUrl } from './current-care-records.ts';
import { countOf, linksOf } from './search-page.ts';

export const searchFhirAuditEvents: Handler<'searchFhirAuditEvents'> = async (call, clients) => {
  const { patientRef, query, apiUrl } = call;
  const search = { order: 'oldest', nextToken: query.nextToken, entriesMax: countOf(query) } as const;
  const { entries, nextToken } = await readLogPage(call, clients, search);
  const { self, next } = linksOf(`${fhirUrl(apiUrl)}/AuditEvent?patient=${patientRef}`, query, nextToken);
  return { fhir: auditEventBundle(entries, self, next) };
};
