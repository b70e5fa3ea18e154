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
