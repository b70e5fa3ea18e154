import type {
  CapabilityStatement,
  CapabilityStatementRestResource,
  CapabilityStatementRestResourceSearchParam,
} from 'fhir/r4.js';
import { type Operation, operations } from './routes.ts';

/** The parameters of searches. Others, such as `_count` and the token of a page, are no search parameters. */
const searchParams: Readonly<Record<string, CapabilityStatementRestResourceSearchParam['type']>> = {
  identifier: 'token',
  patient: 'reference',
};

type RestResource = Omit<CapabilityStatementRestResource, 'interaction' | 'searchParam' | 'operation'> & {
  interaction: NonNullable<CapabilityStatementRestResource['interaction']>;
  searchParam: CapabilityStatementRestResourceSearchParam[];
  operation: NonNullable<CapabilityStatementRestResource['operation']>;
};

/** Returns what each resource type can do, as the paths of the table say: `/fhir/{type}/{id}`, `/fhir/{type}`, `…/_search`. */
function resources(): CapabilityStatementRestResource[] {
  const byType = new Map<string, RestResource>();
  for (const { group, path, query, body } of Object.values(operations) as Operation[]) {
    const [, type = '', ...rest] = path.split('/').slice(1);
    if (group !== 'fhir' || type === 'metadata') continue;
    const resource = byType.get(type) ?? {
      type: type as CapabilityStatementRestResource['type'],
      interaction: [],
      searchParam: [],
      operation: [],
    };
    byType.set(type, resource);
    const last = rest.at(-1);
    if (last === '$everything')
      resource.operation.push({
        name: 'everything',
        definition: `http://hl7.org/fhir/OperationDefinition/${type}-everything`,
      });
    else if (last?.startsWith('{')) resource.interaction.push({ code: 'read' });
    else {
      resource.interaction.push({ code: 'search-type' });
      const asked = { ...query?.shape, ...(body as typeof query)?.shape };
      for (const name of Object.keys(asked))
        if (searchParams[name]) resource.searchParam.push({ name, type: searchParams[name] });
    }
  }
  return Array.from(byType.values(), ({ searchParam, operation, ...resource }) => ({
    ...resource,
    ...(searchParam.length > 0 && { searchParam }), // FHIR does not allow empty arrays
    ...(operation.length > 0 && { operation }),
  }));
}

const resource = resources();

/**
 * Returns what the FHIR API can do, from the table of operations.
 * @param apiUrl address of the API
 */
export const capabilityStatement = (apiUrl: string): CapabilityStatement => ({
  resourceType: 'CapabilityStatement',
  status: 'active',
  date: '2026-11-30', // of the last change of what is said here by hand
  kind: 'instance',
  software: { name: 'epa-sync' },
  implementation: { description: 'What the insurer has sent, in FHIR. Read only.', url: `${apiUrl}/fhir` },
  fhirVersion: '4.0.1',
  format: ['json'],
  rest: [
    {
      mode: 'server',
      security: {
        description: 'A bearer token of the OIDC issuer, with the roles in a claim. Each access is recorded.',
      },
      resource,
    },
  ],
});
