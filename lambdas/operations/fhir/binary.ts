import type { Binary } from 'fhir/r4.js';
import { encryptDocumentLink, formOf } from '../../http/document-link.ts';
import type { Handler } from '../../http/operation.ts';
import { Problem } from '../../http/problems.ts';
import { readFound } from './care-records.ts';

/** An answer of a Lambda has 6 MB at most: 5.5 MB in base64, which needs no escapes in JSON. */
const fileMaxBytes = 4_125_000;

/**
 * Returns a document as a resource if the caller accepts FHIR. Otherwise returns a link to its content, of any size (R4,
 * Binary, "Serving Binary Resources using the RESTful API").
 */
export const readFhirBinary: Handler<'readFhirBinary'> = async (call, clients) =>
  await readFound(call, clients, async ({ document, resource }) => {
    const { patientRef, params, actor: reader, apiUrl, acceptsFhir } = call;
    const stored = document?.of.documents.find(({ index }) => index === document.index);
    if (document === undefined || stored === undefined) throw new Problem('resource-unknown');
    const { content } = stored;
    const entity = { kind: 'document', id: content.sha256 } as const;
    if (!acceptsFhir) {
      const { token } = await encryptDocumentLink(clients.tokenCipher, { patientRef, ...formOf(stored), reader });
      return { location: `${apiUrl}/documents/${token}`, entity };
    }
    if (content.sizeBytes > fileMaxBytes)
      throw notInFhir('It is too large. Without accept: application/fhir+json, there is a link.');
    const bytes = await clients.stores.careRecords.readFile(stored);
    if (bytes === undefined) throw notInFhir('It is not base64. Read it through GET /patients/{patientRef}.');
    const binary: Binary = {
      resourceType: 'Binary',
      id: params.id,
      ...(resource.meta && { meta: resource.meta }),
      contentType: document.mediaType ?? 'application/octet-stream',
      securityContext: { reference: `Patient/${patientRef}` },
      ...(bytes.length > 0 && { data: Buffer.from(bytes).toString('base64') }), // FHIR does not allow empty texts
    };
    return { fhir: binary, entity };
  });

const notInFhir = (detail: string): Problem => new Problem('document-not-in-fhir', { detail });
