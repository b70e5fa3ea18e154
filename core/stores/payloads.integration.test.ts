import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';

const { payloads, keysUnder, overwrite } = openEmulatedStores();
const newOwner = () => ({ syncId: randomUUID(), patientRef: newPatientRef() });

test('a payload is read unchanged, and two identical puts create one object', async () => {
  const owner = newOwner();
  const body = randomBytes(3_000_000);
  const reference = await payloads.put(owner, body);
  expect(await payloads.put(owner, body)).toEqual(reference);
  expect(reference).toMatchObject({
    key: `payloads/${owner.syncId}/${owner.patientRef}/${reference.sha256}`,
    sizeBytes: 3_000_000,
  });
  expect(body.equals(await payloads.get(reference))).toBe(true);
  expect(await keysUnder(`payloads/${owner.syncId}/`)).toEqual([reference.key]);
});

test('an empty payload is stored and read', async () => {
  const reference = await payloads.put(newOwner(), Buffer.alloc(0));
  expect(await payloads.get(reference)).toHaveLength(0);
});

test('a missing, truncated or changed payload is reported as such and never returned', async () => {
  const reference = await payloads.put(newOwner(), Buffer.from('what was fetched'));
  await overwrite(reference.key, Buffer.from('what was fetch'));
  await expect(payloads.get(reference)).rejects.toMatchObject({ fault: 'corrupt' });
  await overwrite(reference.key, Buffer.from('what was Fetched'));
  await expect(payloads.get(reference)).rejects.toMatchObject({ fault: 'corrupt' });
  await payloads.delete(reference);
  await expect(payloads.get(reference)).rejects.toMatchObject({ fault: 'missing' });
  await payloads.delete(reference);
});

test('only the payloads of one patient, or of one sync, are deleted', async () => {
  const [one, sameSync, otherSync] = [newOwner(), newOwner(), newOwner()].map((owner, index, [first]) =>
    index === 1 ? { ...owner, syncId: first?.syncId ?? '' } : owner,
  );
  if (!one || !sameSync || !otherSync) throw new Error('three owners');
  for (const owner of [one, one, sameSync, otherSync]) await payloads.put(owner, randomBytes(5));
  await payloads.deleteAllOf(one);
  expect(await keysUnder(`payloads/${one.syncId}/`)).toHaveLength(1);
  await payloads.deleteAllOf({ syncId: one.syncId });
  expect(await keysUnder(`payloads/${one.syncId}/`)).toEqual([]);
  expect(await keysUnder(`payloads/${otherSync.syncId}/`)).toHaveLength(1);
});
