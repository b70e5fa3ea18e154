import type { CodeSystem, ElementDefinition, StructureDefinition } from 'fhir/r4.js';
import { type AccessDraft, type AccessOperation, accessOperations, roles } from '../access.ts';
import { type Programme, programmes } from '../care-record.ts';
import { epaSyncUri } from './uris.ts';

// Our own extensions and code systems, for those who validate what we answer. `npm run docs` writes them to docs/fhir/.

/** Returns a title as a name for programs, as FHIR wants it: `AccessLogChain`. */
const computerName = (title: string): string =>
  title.replace(/(?:^| )(\w)/g, (_, letter: string) => letter.toUpperCase());

const common = { status: 'active', experimental: false, publisher: 'epa-sync' } as const;

/**
 * Returns one of our code systems, complete.
 * @param name as in its URI
 * @param concepts meaning of each code, in a sentence
 */
export function codeSystem(name: string, title: string, concepts: Readonly<Record<string, string>>): CodeSystem {
  const concept = Object.entries(concepts).map(([code, definition]) => ({ code, definition }));
  return {
    resourceType: 'CodeSystem',
    id: name,
    url: epaSyncUri(name),
    name: computerName(title),
    title,
    ...common,
    description: `${title} of epa-sync.`,
    caseSensitive: true,
    content: 'complete',
    count: concept.length,
    concept,
  };
}

const accessMeanings: Readonly<Record<AccessOperation, string>> = {
  lookup: 'The pseudonym of the patient was looked up.',
  'read-patient': 'The patient and their care records were read.',
  'read-document': 'A document was read.',
  'request-sync': 'A sync of the care records was requested.',
  'read-sync': 'The state of the last sync on demand was read.',
  'read-access-log': 'The access log was read.',
  'verify-access-log': 'The access log was verified.',
  'read-workflow-payload': 'A payload of a workflow that names the patient was decrypted.',
  export: 'The patient was written into an export.',
  import: 'The patient or their care records were stored as new.',
  change: 'The patient was changed.',
  removal: 'The patient was removed.',
  'kvnr-change': 'The same person has another KVNR.',
};
const roleMeanings: Readonly<Record<AccessDraft['agent']['role'], string>> = {
  operator: 'Runs epa-sync.',
  management: 'Sees progress and history.',
  clinician: 'Treats patients.',
  auditor: 'Reads access logs.',
  integration: 'Another system that takes over changes and exports.',
  system: 'epa-sync itself.',
  none: 'The token has no role of epa-sync.',
};
const programmeMeanings: Readonly<Record<Programme, string>> = {
  DMP: 'Disease management programme (§ 137f SGB V).',
  HZV: 'Care centred on the general practitioner (§ 73b SGB V).',
  IV: 'Integrated care (§ 140a SGB V).',
  other: 'Another programme.',
};
/** Keeps the order of a list, and fails to compile if a meaning is missing. */
const meanings = <Code extends string>(codes: readonly Code[], all: Readonly<Record<Code, string>>) =>
  Object.fromEntries(codes.map((code) => [code, all[code]]));

/** Returns a part of a complex extension: one value of one type, under a fixed name. */
function part(name: string, type: string, definition: string): ElementDefinition[] {
  const id = `Extension.extension:${name}`;
  return [
    { id, path: 'Extension.extension', sliceName: name, definition, min: 1, max: '1' },
    { id: `${id}.extension`, path: 'Extension.extension.extension', max: '0' },
    { id: `${id}.url`, path: 'Extension.extension.url', fixedUri: name },
    { id: `${id}.value[x]`, path: 'Extension.extension.value[x]', min: 1, type: [{ code: type }] },
  ];
}

/**
 * Returns one of our extensions.
 * @param name as in its URI
 * @param on the element that it extends
 */
function extension(
  name: string,
  title: string,
  on: string,
  description: string,
  parts: readonly ElementDefinition[],
  value: Partial<ElementDefinition>,
): StructureDefinition {
  return {
    resourceType: 'StructureDefinition',
    id: name,
    url: epaSyncUri(name),
    name: computerName(title),
    title,
    ...common,
    description,
    fhirVersion: '4.0.1',
    kind: 'complex-type',
    abstract: false,
    context: [{ type: 'element', expression: on }],
    type: 'Extension',
    baseDefinition: 'http://hl7.org/fhir/StructureDefinition/Extension',
    derivation: 'constraint',
    differential: {
      element: [
        { id: 'Extension', path: 'Extension', definition: description, max: '1' },
        ...parts,
        { id: 'Extension.url', path: 'Extension.url', fixedUri: epaSyncUri(name) },
        { id: 'Extension.value[x]', path: 'Extension.value[x]', ...value },
      ],
    },
  };
}

export const structureDefinitions: readonly StructureDefinition[] = [
  extension(
    'access-log-chain',
    'Access log chain',
    'AuditEvent',
    "The position of an access entry in the hash chain of its patient's access log.",
    [
      ...part('seq', 'positiveInt', 'The number of the entry: 1, 2, 3, … within the patient.'),
      ...part('prevHash', 'string', 'The hash of the entry before, in hex; 64 zeros for the first one.'),
      ...part('hash', 'string', 'SHA-256 over all other fields of the entry, in hex.'),
    ],
    { max: '0' },
  ),
  extension(
    'sent-status',
    'Sent status',
    'EpisodeOfCare.status',
    'What the insurer has sent as the status of a care record, if FHIR does not know it.',
    [{ id: 'Extension.extension', path: 'Extension.extension', max: '0' }],
    { min: 1, type: [{ code: 'string' }] },
  ),
];

export const codeSystems: readonly CodeSystem[] = [
  codeSystem(
    'access-operation',
    'Access operation',
    meanings(Object.keys(accessOperations) as AccessOperation[], accessMeanings),
  ),
  codeSystem('role', 'Role', meanings([...roles, 'system', 'none'], roleMeanings)),
  codeSystem('programme', 'Programme', meanings(programmes, programmeMeanings)),
];
