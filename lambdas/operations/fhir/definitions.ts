import { capabilityStatement } from '../../http/fhir-capabilities.ts';
import { codeSystems, structureDefinitions } from '../../http/fhir-definitions.ts';
import type { Handler } from '../../http/operation.ts';

export const readFhirMetadata: Handler<'readFhirMetadata'> = async ({ apiUrl }) => ({
  fhir: capabilityStatement(apiUrl),
});

export const readFhirStructureDefinition: Handler<'readFhirStructureDefinition'> = async ({ params }) => ({
  fhir: oneOf(structureDefinitions, params.name),
});

export const readFhirCodeSystem: Handler<'readFhirCodeSystem'> = async ({ params }) => ({
  fhir: oneOf(codeSystems, params.name),
});

/** The schema of the path allows the names of definitions only. */
function oneOf<Definition extends { readonly id?: string | undefined }>(
  all: readonly Definition[],
  name: string,
): Definition {
  const found = all.find(({ id }) => id === name);
  if (found === undefined) throw new Error('a name that is no definition');
  return found;
}
