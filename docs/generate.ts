// `npm run docs`: writes the pages that are generated from the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EventName, eventKinds, eventTypeOf, jsonSchemaOf } from '../core/domain/event.ts';
import { codeSystems, structureDefinitions } from '../lambdas/http/fhir-definitions.ts';
import { configurationPage } from './configuration-page.ts';
import { eventsPage } from './events-page.ts';

writeFileSync(join(import.meta.dirname, 'reference', 'configuration.md'), configurationPage());
for (const definition of [...structureDefinitions, ...codeSystems]) {
  const name = `${definition.resourceType}-${definition.id}.json`;
  writeFileSync(join(import.meta.dirname, 'fhir', name), `${JSON.stringify(definition, null, 2)}\n`);
}
writeFileSync(join(import.meta.dirname, 'reference', 'events.md'), eventsPage());
for (const name of Object.keys(eventKinds) as EventName[]) {
  const schema = `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`;
  writeFileSync(join(import.meta.dirname, 'events', `${eventTypeOf(name)}.json`), schema);
}
