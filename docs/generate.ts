// `npm run docs`: writes the pages that are generated from the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeSystems, structureDefinitions } from '../lambdas/http/fhir-definitions.ts';
import { configurationPage } from './configuration-page.ts';

writeFileSync(join(import.meta.dirname, 'reference', 'configuration.md'), configurationPage());
for (const definition of [...structureDefinitions, ...codeSystems]) {
  const name = `${definition.resourceType}-${definition.id}.json`;
  writeFileSync(join(import.meta.dirname, 'fhir', name), `${JSON.stringify(definition, null, 2)}\n`);
}
