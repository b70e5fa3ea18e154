import { expect, test } from 'vitest';
import { patientRecordId } from '../../core/contract/names.ts';
import { openApi } from '../api.fixture.ts';
import { type SentSpan, startCollector } from '../collector.fixture.ts';
import { startDay } from '../day.fixture.ts';
import { secretsOf } from '../secrets.fixture.ts';

const allowedAttributes = [
  'http.response.status_code',
  'run_id',
  'temporalActivityId',
  'temporalUpdateId',
  'temporalWorkflowId',
];

test('an API request is one trace through the patient’s workflow to each request on the line, without personal data', async () => {
  await using collector = await startCollector();
  await using day = await startDay(
    { patients: 20, rate: 0.5, latencyMs: 5, notInsuredShare: 0, unknownShare: 0 },
    { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
    {
      api: true,
      collector: collector.endpoint,
      moreSecret: { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer of-the-collector' },
    },
  );
  await day.startWorker();
  await day.runToEnd();
  const { call } = await openApi(day.stack);
  const { kvnr } = day.insurer.patients().find(({ kind, isSpoiled }) => kind === 'ok' && !isSpoiled) ?? { kvnr: '' };
  const patientRef = day.refOf(kvnr);
  /** Returns the spans of the trace that the last such request started, once it contains all awaited `service name` pairs. */
  const traceOf = async (request: string, awaited: readonly string[]): Promise<SentSpan[]> => {
    const found = (): SentSpan[] => {
      const traceId = collector.spans.findLast(({ name }) => name === request)?.traceId;
      return collector.spans.filter((span) => span.traceId === traceId);
    };
    await expect // each process sends its spans at its own interval
      .poll(() => found().map(({ service, name }) => `${service} ${name}`), { timeout: 20_000 })
      .toEqual(expect.arrayContaining([...awaited]));
    return found();
  };

  // twice: what the workflow does for the second request must belong to the second trace
  for (const _ of [1, 2]) {
    expect(await call('requestPatientSync', { body: { kvnr } })).toMatchObject({ status: 202 });
    const trace = await traceOf('POST /patient-syncs', [
      'epa-sync-api POST /patient-syncs',
      'epa-sync-api UpdateWithStartWorkflow:requestSync',
      'epa-sync-worker RunActivity:writeSyncRequest',
      'epa-sync-worker RunActivity:beginSync',
      'epa-sync-line RunActivity:fetchCareRecords',
      'epa-sync-worker RunActivity:storeCareRecords',
    ]);
    const [root, ...more] = trace.filter(({ parentSpanId }) => !parentSpanId);
    expect([root?.name, more]).toEqual(['POST /patient-syncs', []]);
    const fetched = trace.find(({ name }) => name === 'RunActivity:fetchCareRecords');
    // an update that meets the end of the workflow is sent again
    const update = trace.find(({ spanId }) => spanId === fetched?.parentSpanId);
    expect(update).toMatchObject({ name: 'UpdateWithStartWorkflow:requestSync', parentSpanId: root?.spanId });
    expect(JSON.stringify(fetched?.attributes)).toContain(patientRecordId(patientRef));
  }

  // failed requests must leave no message, no stack and no text of the caller
  await call('lookUpPatient', { body: { kvnr: 'A000000000' } });
  await call('cancelSync', { body: { reason: 'Frau Lehmann-Beispiel called' } });
  await traceOf('POST /sync/cancel', ['epa-sync-api POST /sync/cancel']);
  const attributes = new Set(collector.spans.flatMap((span) => span.attributes.map(({ key }) => key)));
  expect([...attributes].filter((name) => !allowedAttributes.includes(name))).toEqual([]);
  expect(collector.spans.flatMap(({ events = [] }) => events)).toEqual([]);
  const authorised = new Set(
    collector.spans
      .filter(({ name }) => name !== 'GET /openapi.json') // may not read the secret
      .map(({ service, authorization }) => `${service} ${authorization}`),
  );
  expect(authorised).toEqual(
    new Set(
      ['epa-sync-api', 'epa-sync-worker', 'epa-sync-line'].map((service) => `${service} Bearer of-the-collector`),
    ),
  );
  const sent = collector.bodies.join('\n').toLowerCase();
  const secrets = [...secretsOf(day.insurer), 'Lehmann', 'A000000000'];
  expect(secrets.filter((secret) => sent.includes(secret.toLowerCase()))).toEqual([]);
});
