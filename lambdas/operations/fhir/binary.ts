import type { Binary } from 'fhir/r4.js';
import { decodeContent } from '../../../core/domain/document-content.ts';
import { encryptDocumentLink } from '../../http/document-link.ts';
import type { Handler } from '../../http/operation.ts';
import { Problem } from '../../http/problems.ts';
import { readFound } from './care-records.ts';

/** An answer of a Lambda has 6 MB at most. Base64 needs no escapes in JSON. */
const dataMaxBytes = 5_500_000;

/**
 * Returns a document as a resource if the caller accepts FHIR. Otherwise returns a link to its content, of any size (R4,
 * Binary, "Serving Binary Resources using the RESTful API").
 */
export const readFhirBinary: Handler<'readFhirBinary'> = async (call, clients) =>
  await readFound(call, clients, async ({ document }) => {
    const { patientRef, params, actor: reader, apiUrl, acceptsFhir } = call;
    const content = document?.of.documents.find(({ index }) => index === document.index)?.content;
    if (document === undefined || content === undefined) throw new Problem('resource-unknown');
    const entity = { kind: 'document', id: content.sha256 } as const;
    if (!acceptsFhir) {
      const token = await encryptDocumentLink(clients.tokenCipher, { patientRef, content, reader });
      return { location: `${apiUrl}/documents/${token}`, entity };
    }
    if (content.sizeBytes > dataMaxBytes)
      throw notInFhir('It is too large. Without accept: application/fhir+json, there is a link.');
    const bytes = decodeContent(await clients.stores.documents.get(content));
    if (bytes === undefined) throw notInFhir('It is not base64. Read it through GET /patients/{patientRef}.');
    const binary: Binary = {
      resourceType: 'Binary',
      id: params.id,
      contentType: document.mediaType ?? 'application/octet-stream',
      securityContext: { reference: `Patient/${patientRef}` },
      ...(bytes.length > 0 && { data: Buffer.from(bytes).toString('base64') }), // FHIR does not allow empty texts
    };
    return { fhir: binary, entity };
  });

const notInFhir = (detail: string): Problem => new Problem('document-not-in-fhir', { detail });
