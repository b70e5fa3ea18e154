import PQueue from 'p-queue';
import { expect, test } from 'vitest';
import { fetchToken } from '../../../local/oidc/token.ts';
import { type Answer, callApi } from '../../api.fixture.ts';
import { startDay } from '../../day.fixture.ts';

// the emulator runs one process per request in flight: a laptop bears a dozen, started a few at a time
test('of 100 reads of one patient, 12 in parallel, each is in the access log, and the chain is valid', async () => {
  await using day = await startDay({ patients: 1, rate: 0, notInsuredShare: 0, unknownShare: 0 }, {}, { api: true });
  const { api } = day.stack;
  if (api === undefined) throw new Error('the stack has no API');
  await day.startWorker();
  await day.runToEnd();
  const [patient] = day.insurer.patients();
  const params = { patientRef: day.refOf(patient?.kvnr ?? '') };
  const before = await day.stores.accessLog.verify(params.patientRef);
  const token = await fetchToken(api.issuer, api.issuerKeys, 'clinician');
  const atOnce = async (times: number, call: () => Promise<Answer>, concurrency: number): Promise<Answer[]> =>
    await new PQueue({ concurrency }).addAll(Array.from({ length: times }, () => call));
  const useInvalidLink = async () => await callApi(api.url, 'readDocument', { params: { token: 'a.b.c.d.e' } });
  for (const processes of [4, 8, 12]) await atOnce(processes, useInvalidLink, processes);
  const answers = await atOnce(100, async () => await callApi(api.url, 'readPatient', { params, token }), 12);
  expect(answers.filter(({ status }) => status !== 200).map(({ json }) => json)).toEqual([]);
  const after = await day.stores.accessLog.verify(params.patientRef);
  expect(after).toMatchObject({ valid: true, entries: before.entries + 100 });
}, 120_000);
