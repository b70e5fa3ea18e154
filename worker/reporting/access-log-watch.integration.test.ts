import { expect, test } from 'vitest';
import type { AccessEntry } from '../../core/domain/access.ts';
import { newPatientRef, openEmulatedStores } from '../../core/stores/emulated.fixture.ts';
import { draftFor } from '../../test/access-draft.fixture.ts';
import { watchAccessLog } from './access-log-watch.ts';

test('an entry that the API has appended first is watched, too, once the workflow repeats the append', async () => {
  const { accessLog } = openEmulatedStores();
  const patientRef = newPatientRef();
  const draft = draftFor(patientRef);
  const [byApi] = await accessLog.append(patientRef, [draft]);
  const noted: AccessEntry[] = [];
  const onFailure = () => expect.unreachable();
  const worker = watchAccessLog(accessLog, { onFailure, onAppended: (entries) => noted.push(...entries) });
  await worker.append(patientRef, [draft]);
  expect(noted).toEqual([byApi]);
  expect(await accessLog.verify(patientRef)).toMatchObject({ entries: 1 });
});
