import type { Api } from '../api/client.ts';

/** The fields of a FHIR Bundle that are read here; all other fields are passed on unchanged. */
interface Bundle {
  readonly link?: readonly { readonly relation: string; readonly url: string }[];
  readonly entry?: readonly unknown[];
}

/** Fetches all pages of a patient's access log, and returns the text of one FHIR Bundle. @throws ApiError */
export async function fetchBundle(api: Api, patientRef: string): Promise<string> {
  const path = `/patients/${patientRef}/access-log`;
  const pages: Bundle[] = [];
  for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken !== undefined; isFirst = false) {
    const page = JSON.parse(await api.getText(path, { nextToken }, 'application/fhir+json')) as Bundle;
    pages.push(page);
    const next = page.link?.find(({ relation }) => relation === 'next');
    nextToken = next && (new URL(next.url).searchParams.get('nextToken') ?? undefined);
  }
  const [first] = pages;
  const entry = pages.flatMap((page) => page.entry ?? []);
  const link = first?.link?.filter(({ relation }) => relation === 'self');
  return JSON.stringify({ ...first, link, ...(entry.length > 0 && { entry }) }, null, 2); // FHIR forbids empty arrays
}
