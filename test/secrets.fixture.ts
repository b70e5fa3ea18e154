import type { Insurer } from '../simulator/insurer.ts';

/**
 * Returns KVNRs, family names, streets and titles of everyone whom the insurer knows. Only the tables may contain them.
 */
export function secretsOf(insurer: Insurer): ReadonlySet<string> {
  const secrets = new Set<string>();
  for (const { kvnr, entries, careRecords } of insurer.patients()) {
    secrets.add(kvnr);
    for (const entry of entries) {
      const { familyName, address } = JSON.parse(entry) as { familyName?: string; address?: { street?: string } };
      if (typeof familyName === 'string' && familyName.length >= 5) secrets.add(familyName);
      if (typeof address?.street === 'string') secrets.add(address.street);
    }
    for (const { title } of (JSON.parse(careRecords ?? '{"careRecords":[]}') as { careRecords: { title: string }[] })
      .careRecords)
      if (title.length >= 5) secrets.add(title);
  }
  return secrets;
}

/**
 * Returns the secrets that a text contains. One pass finds all of them: a search for each of thousands takes a second of CPU for
 * each megabyte.
 * @param secrets none of them empty
 */
export function secretsIn(text: string, secrets: Iterable<string>): readonly string[] {
  const all = [...secrets];
  const length = Math.min(...all.map((secret) => secret.length));
  const byStart = Map.groupBy(all, (secret) => secret.slice(0, length));
  const found = new Set<string>();
  for (let at = 0; at <= text.length - length; at++)
    for (const secret of byStart.get(text.slice(at, at + length)) ?? [])
      if (text.startsWith(secret, at)) found.add(secret);
  return [...found];
}
