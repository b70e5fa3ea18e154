import type { Bundle, FhirResource, OperationOutcome } from 'fhir/r4.js';

/**
 * Returns one page of a search: a Bundle of the type `searchset`.
 * @param baseUrl address of the FHIR API, without a slash at the end
 * @param links addresses of this page and of the next one, without personal data
 * @param outcome what the caller should know about the search as a whole
 */
export function searchset(
  resources: readonly FhirResource[],
  baseUrl: string,
  links: { readonly self: string; readonly next?: string | undefined },
  outcome?: OperationOutcome,
): Bundle {
  const entry: NonNullable<Bundle['entry']> = resources.map((resource) => ({
    fullUrl: `${baseUrl}/${resource.resourceType}/${resource.id}`,
    resource,
    search: { mode: 'match' },
  }));
  if (outcome) entry.push({ resource: outcome, search: { mode: 'outcome' } });
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    link: [
      { relation: 'self', url: links.self },
      ...(links.next === undefined ? [] : [{ relation: 'next', url: links.next }]),
    ],
    ...(entry.length > 0 && { entry }), // FHIR does not allow empty arrays
  };
}

/** What the caller should know if care records were never fetched: otherwise, an empty Bundle would look like «none». */
export const neverFetched: OperationOutcome = {
  resourceType: 'OperationOutcome',
  issue: [
    {
      severity: 'warning',
      code: 'incomplete',
      details: { text: 'The care records of this patient have not been fetched yet.' },
    },
  ],
};
