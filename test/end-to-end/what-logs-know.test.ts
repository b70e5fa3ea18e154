import { expect, test } from 'vitest';
import { type OperationName, operations } from '../../lambdas/http/routes.ts';
import { type ApiCall, linksIn, openApi } from '../api.fixture.ts';
import { startDay } from '../day.fixture.ts';
import { lambdaLogLines, workerLogLines } from '../logs.fixture.ts';
import { secretsOf } from '../secrets.fixture.ts';

test('on a day with every operation of the API, no log line and no metric contains a name, KVNR, title, reason or token', async () => {
  await using day = await startDay(
    { patients: 60, rate: 0.5, latencyMs: 5, malformedEntries: 6, notInsuredShare: 0.05 },
    {},
    { api: true },
  );
  await day.startWorker({ METRICS_INTERVAL_MS: '1000' });
  await day.sync.start();
  await day.insurer.until(({ patientsServed }) => patientsServed >= 3);
  const { call, tokens } = await openApi(day.stack);
  const reason = 'because Frau Lehmann-Beispiel called about her diabetes';
  const wanted = new Map<OperationName, ApiCall>();
  const links: string[] = [];
  for (const { kvnr, entries } of day.insurer
    .patients()
    .filter(({ kind }) => kind === 'ok')
    .slice(0, 12)) {
    const patientRef = day.refOf(kvnr);
    for (const [name, asked] of Object.entries({
      lookUpPatient: { body: { kvnr } },
      searchPatients: { body: searchFor(entries) },
      requestPatientSync: { body: { kvnr } },
      readPatient: { params: { patientRef } },
      readLastSync: { params: { patientRef } },
      readAccessLog: { params: { patientRef } },
      verifyAccessLog: { params: { patientRef } },
      reportAccessLog: { params: { patientRef }, body: { language: 'de', format: 'html' } },
      searchFhirPatients: { body: { identifier: `http://fhir.de/sid/gkv/kvid-10|${kvnr}` } },
      readFhirPatient: { params: { patientRef } },
      readFhirEverything: { params: { patientRef } },
      readFhirCoverage: { params: { patientRef } },
      searchFhirCoverages: { query: `?patient=${patientRef}` },
      searchFhirEpisodes: { query: `?patient=${patientRef}` },
      searchFhirDocuments: { query: `?patient=${patientRef}` },
      searchFhirAuditEvents: { query: `?patient=${patientRef}` },
    } satisfies Partial<Record<OperationName, ApiCall>>))
      wanted.set(name as OperationName, asked);
    for (const [name, asked] of wanted) await call(name, asked);
    const patient = await call('readPatient', { params: { patientRef } });
    if (patient.status === 200) links.push(...linksIn(patient.json));
    const documents = await call('searchFhirDocuments', { query: `?patient=${patientRef}` });
    const [found] = (documents.json.entry ?? []) as { readonly resource: { readonly id: string } }[];
    if (found) await call('readFhirBinary', { params: { id: found.resource.id } });
    // personal data where it does not belong
    await call('readPatient', { params: { patientRef: kvnr } });
    await call('searchFhirEpisodes', { query: `?patient=${kvnr}` });
    await call('searchFhirPatients', { body: { identifier: kvnr } });
    await call('lookUpPatient', { body: { kvnr: kvnr.toLowerCase(), more: kvnr } });
    await call('listRuns', { headers: { 'x-correlation-id': kvnr } });
  }
  expect(links.length).toBeGreaterThan(0);
  for (const token of links.slice(0, 5)) await call('readDocument', { params: { token } });
  expect((await call('startExport')).status).toBe(202);
  const exported = async () => (await call('listExports')).json.exports[0];
  await expect.poll(async () => (await exported()).state, { timeout: 120_000, interval: 500 }).toBe('completed');
  const { exportId } = await exported();
  expect((await call('readExport', { params: { exportId } })).json.output.length).toBeGreaterThan(0);
  expect((await call('checkAccessLogs')).status).toBe(202);
  const [someone] = await day.storedRefs();
  const pdf = { params: { patientRef: someone ?? '' }, body: { language: 'en', format: 'pdf' } };
  expect((await call('reportAccessLog', pdf)).status).toBe(200);
  const rest = (Object.keys(operations) as OperationName[]).filter((name) => !wanted.has(name));
  for (const name of rest) await call(name, operations[name].method === 'POST' ? { body: { reason } } : {});
  await call('resumeLine', { body: { reason } });
  await day.until(({ state }) => state !== 'running', 300);

  const ofWorkers = workerLogLines(day).join('\n');
  const ofLambdas = await lambdaLogLines();
  expect(ofWorkers).toContain('"worker-ready"');
  expect(ofWorkers).toContain('"_aws"'); // metrics
  expect(ofLambdas.length).toBeGreaterThan(100);
  expect(ofLambdas.join('\n')).toContain('"_aws"');
  const logged = [ofWorkers, ...ofLambdas].join('\n').toLowerCase();
  const secrets = [...secretsOf(day.insurer), reason, 'Lehmann', ...tokens.values(), ...links];
  expect(secrets.filter((secret) => logged.includes(secret.toLowerCase()))).toEqual([]);
});

/** Returns a search for somebody by all that the insurer has sent. */
function searchFor([entry = '{}']: readonly string[]) {
  const { birthDate, familyName, givenName } = JSON.parse(entry) as Record<string, unknown>;
  return { birthDate, familyName, givenName };
}
