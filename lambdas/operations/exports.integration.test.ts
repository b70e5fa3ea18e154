import { beforeAll, expect, test } from 'vitest';
import { type Api, openApi } from '../http/api.fixture.ts';

// Without a worker: an export is as far as the test says. test/end-to-end/exports.test.ts has the whole way.

let api: Api;
beforeAll(async () => {
  api = await openApi();
}, 60_000);

test('another system with the same role sees the progress, but not the files', async () => {
  const { json } = await api.ask('startExport', { role: 'integration' });
  const { exportId } = json;
  const file = await api.stores.exports.putFile(exportId, 'Patient', [Buffer.from('{"resourceType":"Patient"}')]);
  const begun = await api.stores.exports.read(api.insurerId, exportId);
  if (begun === undefined) throw new Error('the export is not stored');
  const batch = { after: 'f'.repeat(32), isLast: true, patients: 1, files: [file] };
  expect(await api.stores.exports.addBatch(api.insurerId, begun, batch)).toBe(true);

  const own = await api.ask('readExport', { role: 'integration', params: { exportId } });
  expect(own.json).toMatchObject({ state: 'completed', patients: 1, counts: { Patient: 1 } });
  expect(own.json.output).toEqual([
    {
      ...{ type: 'Patient', count: 1, sizeBytes: file.sizeBytes, sha256: file.sha256 },
      ...{ url: expect.stringMatching(/^http/), expiresAt: expect.any(String) },
    },
  ]);
  expect(await (await fetch(own.json.output[0].url)).text()).toBe('{"resourceType":"Patient"}\n');
  const token = await api.issuer.sign({ sub: 'another-system', roles: ['integration'] });
  const foreign = await api.ask('readExport', { token, params: { exportId } });
  expect(foreign).toMatchObject({ status: 200, json: { state: 'completed', requestedBy: expect.any(String) } });
  expect(foreign.json).not.toHaveProperty('output');
  const forged = new URL(own.json.output[0].url);
  forged.pathname = forged.pathname.replace(exportId, 'x');
  expect((await fetch(forged)).ok).toBe(false);
});

test('only a system may start an export, and no clinician may see one', async () => {
  for (const role of ['operator', 'clinician', 'management', 'auditor'] as const)
    expect((await api.ask('startExport', { role })).status).toBe(403);
  for (const role of ['clinician', 'management', 'auditor'] as const)
    expect((await api.ask('listExports', { role })).status).toBe(403);
});
