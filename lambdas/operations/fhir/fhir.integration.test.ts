import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bundle, DocumentReference, FhirResource } from 'fhir/r4.js';
import { beforeAll, expect, test } from 'vitest';
import { type AccessEntry, accessOperations, roles } from '../../../core/domain/access.ts';
import { linkEntry } from '../../../core/domain/access-log.ts';
import { searchset } from '../../../core/domain/fhir/bundle.ts';
import {
  oddPeople,
  populationBaseUrl,
  resourcesOf,
  simulatedPeople,
} from '../../../core/domain/fhir/population.fixture.ts';
import { auditEventBundle } from '../../../core/domain/fhir-audit-event.ts';
import { draftFor } from '../../../test/access-draft.fixture.ts';
import { type Api, newKvnr, openApi } from '../../http/api.fixture.ts';
import { codeSystems, structureDefinitions } from '../../http/fhir-definitions.ts';
import { problemTypeIn } from '../../http/problem.fixture.ts';
import { problemType } from '../../http/problems.ts';
import type { OperationName } from '../../http/routes.ts';

const root = join(import.meta.dirname, '..', '..', '..');
/** HAPI's instance validator. Without it next to the checkout, its test is skipped. */
const validator = join(root, '..', 'shared', 'fhir-validate', 'validate');

let api: Api;
let patient: Awaited<ReturnType<Api['storePatient']>>;
beforeAll(async () => {
  api = await openApi({ INSURER_IK: '109500969' });
  patient = await api.storePatient(
    JSON.stringify(
      Array.from({ length: 3 }, (_, at) => ({
        ...{ id: `r${at}`, programme: 'DMP', title: 'Rückenschule', status: 'active', start: '2025-01-01' },
        documents: [
          { id: 'd1', title: 'Brief', mediaType: 'text/plain', contentBase64: 'QUJD' },
          { id: 'd2', mediaType: 'text/plain', contentBase64: 'not base64!' },
        ],
      })),
    ),
  );
});

const ask = async (name: OperationName, more: Parameters<Api['ask']>[1] = {}) =>
  await api.ask(name, { role: 'clinician', ...more });
const everything = async (query: Readonly<Record<string, string>> = {}) =>
  await ask('readFhirEverything', { params: { patientRef: patient.patientRef }, query });

/** Returns the parameters of a link to the next page. */
const nextOf = (bundle: Bundle): Record<string, string> | undefined => {
  const url = bundle.link?.find(({ relation }) => relation === 'next')?.url;
  return url === undefined ? undefined : Object.fromEntries(new URL(url).searchParams);
};

const resourcesIn = ({ entry = [] }: Bundle<FhirResource>): FhirResource[] =>
  entry.flatMap(({ resource }) => resource ?? []);

/** Validates resources by their names, in one run: each start of Java costs seconds. @returns the errors */
async function errorsIn(resources: Readonly<Record<string, unknown>>): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'epa-sync-fhir-'));
  try {
    for (const [name, resource] of Object.entries(resources))
      writeFileSync(join(dir, `${name}.json`), JSON.stringify(resource));
    const published = readdirSync(join(root, 'docs', 'fhir')).filter((name) => name.endsWith('.json'));
    const definitions = published.map((name) => `--definition=${join(root, 'docs', 'fhir', name)}`);
    const files = Object.keys(resources).map((name) => `${name}.json`);
    const printed = await new Promise<string>((resolve, reject) => {
      execFile(validator, [...definitions, ...files], { cwd: dir, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        if (error !== null && error.code !== 1) reject(new Error(`the validator could not run: ${stderr}`));
        else resolve(stdout);
      });
    });
    return printed.split('\n').filter((line) => /\t(ERROR|FATAL)\t|^(ERROR|FATAL)\t/.test(line));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const bundleOf = (resources: readonly FhirResource[]) =>
  searchset(resources, populationBaseUrl, { self: populationBaseUrl });

/** The access log of a patient with an entry of each operation, outcome and role. */
function accessLogOf(patientRef: string): AccessEntry[] {
  const draft = draftFor(patientRef);
  const drafts = [
    ...Object.keys(accessOperations).map((operation) => ({
      ...draft,
      operation: operation as AccessEntry['operation'],
    })),
    ...(['success', 'refused', 'failed'] as const).map((outcome) => ({ ...draft, outcome })),
    ...(['document', 'sync', 'list'] as const).map((kind) => ({ ...draft, entity: { kind, id: `${kind}-1` } })),
    ...[...roles, 'system' as const, 'none' as const].map((role) => ({ ...draft, agent: { who: 'x', role } })),
  ];
  const entries: AccessEntry[] = [];
  for (const one of drafts) entries.push(linkEntry(one, entries.at(-1)));
  return entries;
}

test.skipIf(!existsSync(validator))(
  'HAPI finds no error in a whole population, odd data included, in the access log, and in what the API answers',
  { timeout: 600_000 }, // the first run on a machine fetches the validator
  async () => {
    const people = [...simulatedPeople(200), ...oddPeople()].map(resourcesOf);
    const search = { query: { patient: patient.patientRef } };
    const answers = await Promise.all([
      everything(),
      ask('readFhirMetadata'),
      ask('readFhirPatient', { params: { patientRef: 'ab'.repeat(16) } }), // 404
      ask('readFhirPatient', { params: { patientRef: 'x' } }), // 400
      ask('searchFhirPatients', { body: { identifier: `http://fhir.de/sid/gkv/kvid-10|${newKvnr()}` } }),
      ask('searchFhirAuditEvents', { role: 'auditor', ...search }),
    ]);
    const id = resourcesIn(answers[0].json).find(({ resourceType }) => resourceType === 'DocumentReference')?.id ?? '';
    const binary = await ask('readFhirBinary', { params: { id }, headers: { accept: 'application/fhir+json' } });
    const errors = await errorsIn({
      ...Object.fromEntries(people.map((resources, at) => [`person-${at}`, bundleOf(resources)])),
      ...Object.fromEntries([...answers, binary].map(({ json }, at) => [`answer-${at}`, json])),
      ...{ log: auditEventBundle(accessLogOf('ab'.repeat(16)), 'https://api.example/log') },
      ...{ wrong: { resourceType: 'Patient', gender: 'divers' } },
    });
    const ofWrong = errors.filter((line) => line.startsWith('wrong.json'));
    expect(errors.filter((line) => !ofWrong.includes(line))).toEqual([]);
    expect(ofWrong).not.toEqual([]); // errors are found
  },
);

test('the published definitions are those of the code, and the API serves them under their names', async () => {
  for (const definition of [...structureDefinitions, ...codeSystems]) {
    const operation = definition.resourceType === 'CodeSystem' ? 'readFhirCodeSystem' : 'readFhirStructureDefinition';
    const served = await api.ask(operation, { params: { name: definition.id ?? '' } });
    expect(served.json).toEqual(definition);
    const file = join(root, 'docs', 'fhir', `${definition.resourceType}-${definition.id}.json`);
    expect((await import(file, { with: { type: 'json' } })).default, 'run npm run docs').toEqual(definition);
  }
  const codesOf = (name: string) => codeSystems.find(({ id }) => id === name)?.concept?.map(({ code }) => code);
  expect(codesOf('access-operation')).toEqual(Object.keys(accessOperations));
  expect(codesOf('role')).toEqual([...roles, 'system', 'none']);
});

test('$everything is the patient, their insurance, and each Versorgung with its documents, in pages', async () => {
  const types: string[] = [];
  let query: Record<string, string> | undefined = { _count: '4' };
  const sizes: number[] = [];
  while (query !== undefined) {
    const { json, status } = await everything(query);
    expect(status).toBe(200);
    const resources = resourcesIn(json);
    types.push(...resources.map(({ resourceType }) => resourceType));
    sizes.push(resources.length);
    query = nextOf(json);
  }
  const versorgung = ['EpisodeOfCare', 'DocumentReference', 'DocumentReference'];
  expect(types).toEqual(['Patient', 'Coverage', ...versorgung, ...versorgung, ...versorgung]);
  expect(sizes).toEqual([4, 4, 3]);
});

test('another system reads the patient whom a change names, which their access log says, and nothing else in FHIR', async () => {
  const changed = await api.storePatient('[{"id": "r1"}]');
  const params = { patientRef: changed.patientRef };
  const { status, json } = await api.ask('readFhirEverything', { role: 'integration', params });
  expect(status).toBe(200);
  expect(resourcesIn(json).map(({ resourceType }) => resourceType)).toEqual(['Patient', 'Coverage', 'EpisodeOfCare']);
  const { entries } = await api.stores.accessLog.read(changed.patientRef, 100);
  expect(entries.at(-1)).toMatchObject({
    operation: 'read-patient',
    outcome: 'success',
    agent: { role: 'integration' },
  });
  const refused = await api.ask('readFhirPatient', { role: 'integration', params });
  expect(problemTypeIn(refused.json)).toBe(problemType('forbidden'));
});

test('a page of no resources is refused: it would ask for a total', async () => {
  expect((await everything({ _count: '0' })).status).toBe(400);
});

test('a page of care records that have been replaced is not continued', async () => {
  const other = await api.storePatient('[{"id": "r1"}, {"id": "r2"}]');
  const search = async (query: Record<string, string>) =>
    await ask('searchFhirEpisodes', { query: { patient: other.patientRef, ...query } });
  const first = await search({ _count: '1' });
  await api.stores.careRecords.stage(other.patientRef, '2', { kvnr: other.kvnr, envelope: '{}', records: [] });
  const seen = await api.stores.patients.get(other.patientRef);
  await api.stores.patients.activateCareVersion(other.patientRef, '2', seen?.revision ?? 0);
  const { patient: _, ...next } = nextOf(first.json) ?? {};
  const second = await search(next);
  expect(problemTypeIn(second.json)).toBe(problemType('care-records-changed'));
  expect(second.status).toBe(409);
});

test('each resource of a Bundle is read at its fullUrl, with its version as ETag', async () => {
  const { json } = await everything();
  const operationOf: Readonly<Record<string, OperationName>> = {
    Patient: 'readFhirPatient',
    Coverage: 'readFhirCoverage',
    EpisodeOfCare: 'readFhirEpisode',
    DocumentReference: 'readFhirDocument',
  };
  for (const { fullUrl, resource } of (json as Bundle).entry ?? []) {
    const { resourceType = '', id = '', meta } = resource ?? {};
    expect(fullUrl).toMatch(new RegExp(`/fhir/${resourceType}/${id}$`));
    const name = operationOf[resourceType] ?? 'readFhirPatient';
    const read = await ask(name, { params: /^(Patient|Coverage)$/.test(resourceType) ? { patientRef: id } : { id } });
    expect(read.json).toEqual(resource);
    expect(read.headers['etag']).toBe(`W/"${meta?.versionId}"`);
  }
});

test('a Binary holds the decoded document, or says that it cannot; without FHIR, it is a link to the bytes', async () => {
  const { json } = await ask('searchFhirDocuments', { query: { patient: `Patient/${patient.patientRef}` } });
  const [decodable, other] = resourcesIn(json).map(({ id }) => id);
  const attachments = resourcesIn(json).map((resource) => (resource as DocumentReference).content[0]?.attachment);
  const hash = createHash('sha1').update('ABC').digest('base64');
  expect(attachments[0]).toMatchObject({ contentType: 'text/plain', size: 3, hash });
  expect(attachments[1]).not.toHaveProperty('size');
  const headers = { accept: 'application/fhir+json' };
  const read = async (id = '') => await ask('readFhirBinary', { params: { id }, headers });
  const { meta } = resourcesIn(json)[0] ?? {};
  const binary = await read(decodable);
  expect(binary.json).toMatchObject({ resourceType: 'Binary', meta, contentType: 'text/plain', data: 'QUJD' });
  expect(binary.headers['etag']).toBe(`W/"${meta?.versionId}"`);
  const refused = await read(other);
  expect({ status: refused.status, type: problemTypeIn(refused.json) }).toEqual({
    status: 422,
    type: problemType('document-not-in-fhir'),
  });
  const linked = await ask('readFhirBinary', { params: { id: decodable ?? '' } });
  expect(linked.status).toBe(302);
  const token = linked.headers['location']?.split('/documents/').at(1) ?? '';
  expect((await api.ask('readDocument', { params: { token } })).status).toBe(302);
  expect((await read(`${patient.patientRef}-${'0'.repeat(24)}`)).status).toBe(404);
});

test('a KVNR finds the patient in a body only, and nobody if it is not stored', async () => {
  const search = async (kvnr: string) =>
    await ask('searchFhirPatients', { body: { identifier: `http://fhir.de/sid/gkv/kvid-10|${kvnr}` } });
  const found = await search(patient.kvnr);
  expect(found.json.entry[0].resource).toMatchObject({ resourceType: 'Patient', id: patient.patientRef });
  expect(JSON.stringify(found.json.link)).not.toContain(patient.kvnr);
  expect((await search(newKvnr())).json).not.toHaveProperty('entry');
  const elsewhere = await ask('searchFhirPatients', { body: { identifier: patient.kvnr } });
  expect(elsewhere.status).toBe(400); // without its system it may be any number
  expect(elsewhere.text).not.toContain(patient.kvnr);
});

test('care records that were never fetched are no empty care records: the Bundle says so', async () => {
  const { patientRef } = await api.storePatient();
  const { json } = await ask('searchFhirEpisodes', { query: { patient: patientRef } });
  expect(json.entry).toEqual([
    { resource: expect.objectContaining({ resourceType: 'OperationOutcome' }), search: { mode: 'outcome' } },
  ]);
});

test('each access through FHIR is an entry of the access log, before the answer', async () => {
  const { patientRef } = await api.storePatient('[{"id": "r1", "documents": [{"id": "d", "contentBase64": "QUJD"}]}]');
  await ask('readFhirPatient', { params: { patientRef } });
  const { json } = await ask('searchFhirDocuments', { query: { patient: patientRef } });
  await ask('readFhirBinary', {
    params: { id: json.entry[0].resource.id },
    headers: { accept: 'application/fhir+json' },
  });
  await ask('readFhirEverything', { role: 'operator', params: { patientRef } });
  const log = await ask('searchFhirAuditEvents', { role: 'auditor', query: { patient: patientRef } });
  const seen = resourcesIn(log.json).map((resource) => {
    const event = resource as Extract<FhirResource, { resourceType: 'AuditEvent' }>;
    return [event.subtype?.[0]?.code, event.outcome];
  });
  expect(seen).toEqual([
    ['read-patient', '0'],
    ['read-patient', '0'],
    ['read-document', '0'],
    ['read-patient', '4'],
  ]);
});
