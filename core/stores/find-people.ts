import { hashedSearch } from '../crypto/name-hashes.ts';
import { isSearched, type PersonSearch, type SearchedPerson, searchedPerson } from '../domain/name-search.ts';
import type { PatientsStore } from './patients.ts';

/** Most people whom a search returns. */
export const hitsMax = 20;

export interface FoundPerson extends SearchedPerson {
  readonly patientRef: string;
}

/** Returns those whom a search finds, ordered by name; undefined if they are more than `hitsMax`. Then it reads no entry. */
export async function findPeople(
  patients: Pick<PatientsStore, 'findBornOn' | 'get'>,
  search: PersonSearch,
  pseudonymKey: Buffer,
): Promise<readonly FoundPerson[] | undefined> {
  const { birthHash, isFitting } = hashedSearch(search, pseudonymKey);
  const fitting: string[] = [];
  for await (const { patientRef, nameHashes } of patients.findBornOn(birthHash)) {
    if (!isFitting(nameHashes)) continue;
    if (fitting.push(patientRef) > hitsMax) return undefined;
  }
  const hits = await Promise.all(
    fitting.map(async (patientRef) => {
      // the index is behind the table, and its hashes are short: the entry itself decides
      const { body } = (await patients.get(patientRef)) ?? {};
      const person = body === undefined ? undefined : searchedPerson(body);
      return person !== undefined && isSearched(search, person) ? [{ patientRef, ...person }] : [];
    }),
  );
  return hits
    .flat()
    .toSorted((one, other) =>
      `${one.familyName}\n${one.givenName}`.localeCompare(`${other.familyName}\n${other.givenName}`, 'de'),
    );
}
