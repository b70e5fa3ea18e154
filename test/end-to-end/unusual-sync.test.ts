import { afterAll, beforeAll, expect, test } from 'vitest';
import { kvnrOf } from '../../simulator/kvnr-numbers.ts';
import { httpAnswer, type RawInsurer, startRawInsurer } from '../../worker/line/raw-insurer.fixture.ts';
import { type CallWithPermittedRole, openApi } from '../api.fixture.ts';
import { type Day, startDay } from '../day.fixture.ts';

const [unusual, usual] = [kvnrOf(1, 0), kvnrOf(2, 0)];
const record = { id: '1', programme: 'DMP', title: 'Asthma', status: 'active', start: '2024-01-01' };

let insurer: RawInsurer;
let day: Day;
let call: CallWithPermittedRole;
beforeAll(async () => {
  insurer = await startRawInsurer(({ socket, path }) => {
    const kvnr = [unusual, usual].find((each) => path.includes(each));
    const start = kvnr === unusual ? '01.01.2024' : record.start;
    socket.write(httpAnswer(200, JSON.stringify({ kvnr, careRecords: [{ ...record, start }] })));
  });
  day = await startDay({ patients: 1 }, {}, { api: true });
  ({ call } = await openApi(day.stack));
  await day.startWorker({ INSURER_BASE_URL: insurer.baseUrl });
}, 120_000);
afterAll(async () => {
  await day?.[Symbol.asyncDispose]();
  await insurer?.[Symbol.asyncDispose]();
});

test('a sync on demand says what in the stored answer breaks the contract', async () => {
  for (const kvnr of [unusual, usual]) {
    const { json } = await call('requestPatientSync', { body: { kvnr } });
    const sync = async () => (await call('readLastSync', { params: { patientRef: json.patientRef } })).json;
    await expect.poll(async () => (await sync())?.state, { timeout: 20_000 }).toBe('completed');
    expect((await sync()).flags).toBe(kvnr === unusual ? 'careRecords[0].start: not a date' : undefined);
  }
});
