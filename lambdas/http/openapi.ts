import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import { type ProblemName, problems, problemType } from './problems.ts';
import { type Operation, operations, problemsOf } from './routes.ts';
import * as schemas from './schemas.ts';

const correlationId = {
  'x-correlation-id': {
    schema: { type: 'string' },
    description: "The caller's ID if it is a UUID, otherwise a new one.",
  },
} as const;

/** Describes all problems of one status in one response, with an example of each problem. */
function problemResponse(status: number, names: readonly ProblemName[], isFhir: boolean): ZodOpenApiResponseObject {
  const example = (name: ProblemName) => ({
    type: problemType(name),
    title: problems[name].title,
    status,
    correlationId: '0e4d1e0e-6d0c-4bc9-8f25-6a6b1a8b7f0d',
    ...(name === 'invalid-request' && {
      errors: [{ in: 'body', pointer: '/kvnr', detail: 'has a wrong check digit' }],
    }),
  });
  return {
    description: names.map((name) => problems[name].title).join('. Or: '),
    headers: {
      ...correlationId,
      ...(status === 401 && { 'www-authenticate': { schema: { type: 'string' } } }),
      ...([429, 503].includes(status) && { 'retry-after': { schema: { type: 'string' }, description: 'Seconds.' } }),
    },
    content: {
      ...(isFhir && { 'application/fhir+json': { schema: schemas.operationOutcome } }), // API Gateway itself answers problems
      'application/problem+json': {
        schema: schemas.problem,
        examples: Object.fromEntries(names.map((name) => [name, { value: example(name) }])),
      },
    },
  };
}

const location = { location: { schema: { type: 'string', format: 'uri' }, required: true } } as const;

function successResponse({ status, description, schema, fhir, csv }: Operation['answer']): ZodOpenApiResponseObject {
  return {
    description,
    headers: {
      ...correlationId,
      ...(status === 302 && location),
    },
    ...((schema ?? fhir) && {
      content: {
        ...(schema && { 'application/json': { schema } }),
        ...(fhir && { 'application/fhir+json': { schema: fhir } }),
        ...(csv && { 'text/csv': { schema: csv } }),
      },
    }),
  };
}

function describe(name: string, operation: Operation): ZodOpenApiOperationObject {
  const { group, roles, summary, params, query, body, bodyType, answer } = operation;
  const byStatus = Map.groupBy(problemsOf(operation), (problem) => problems[problem].status);
  const failures = [...byStatus].map(
    ([status, names]) => [status, problemResponse(status, names, group === 'fhir')] as const,
  );
  const mediaType = bodyType === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
  const redirect = answer.location && {
    302: { description: answer.location, headers: { ...correlationId, ...location } },
  };
  return {
    operationId: name,
    tags: [group],
    summary,
    ...(Array.isArray(roles) && { description: `Roles: ${roles.join(', ')}.` }),
    security: Array.isArray(roles) ? [{ token: [] }] : [],
    requestParams: { ...(params && { path: params }), ...(query && { query }) },
    ...(body && { requestBody: { required: true, content: { [mediaType]: { schema: body } } } }),
    responses: { [answer.status]: successResponse(answer), ...redirect, ...Object.fromEntries(failures) },
  };
}

const paths: ZodOpenApiPathsObject = {};
for (const [name, operation] of Object.entries(operations) as [string, Operation][]) {
  paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: describe(name, operation) };
}

const document = createDocument({
  openapi: '3.1.0',
  info: {
    title: 'epa-sync',
    version: '1.0.0',
    description: 'docs/reference/problems.md explains every problem.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  paths,
  components: {
    securitySchemes: {
      token: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'Access token of the OIDC issuer (RS256 or ES256), with the roles in a claim.',
      },
    },
  },
});

/**
 * Returns the OpenAPI 3.1 document of this API, from the schemas that validate requests.
 * @param apiUrl address of the API
 */
export const openApiDocument = (apiUrl: string) => ({
  ...document,
  openapi: '3.1.0' as const,
  servers: [{ url: apiUrl }],
});
