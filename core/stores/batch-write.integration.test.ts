import { expect, test } from 'vitest';
import { batchWrite } from './batch-write.ts';
import { newPatientRef, openEmulatedStores } from './emulated.fixture.ts';

test('unprocessed items are retried until all are written', async () => {
  const { dynamo, careRecordKeys } = openEmulatedStores();
  let throttled = 3;
  // DynamoDB under load returns a part of the batch as unprocessed (BatchWriteItem in its API reference)
  dynamo.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const input = args.input as { RequestItems?: Record<string, unknown[]> };
        const all = input.RequestItems?.['CareRecords'];
        if (commandName !== 'BatchWriteItemCommand' && commandName !== 'BatchWriteCommand') return await next(args);
        if (all === undefined || throttled === 0) return await next(args);
        throttled -= 1;
        const taken = { ...args, input: { ...input, RequestItems: { CareRecords: all.slice(0, 1) } } };
        const answer = await next(taken as typeof args);
        return { ...answer, output: { ...answer.output, UnprocessedItems: { CareRecords: all.slice(1) } } };
      },
    { step: 'initialize', priority: 'high' },
  );
  const patientRef = newPatientRef();
  const keys = Array.from({ length: 60 }, (_, index) => `1#${String(index).padStart(2, '0')}`);
  await batchWrite(
    dynamo,
    'CareRecords',
    keys.map((sk) => ({ PutRequest: { Item: { patientRef, sk } } })),
  );
  expect(throttled).toBe(0);
  expect(await careRecordKeys(patientRef)).toEqual(keys);
});

test('a batch that DynamoDB rejects because it is throttled is retried as a whole', async () => {
  const { dynamo, careRecordKeys } = openEmulatedStores();
  const errors = ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded'];
  dynamo.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const name = commandName?.startsWith('BatchWrite') ? errors.shift() : undefined;
        if (name !== undefined) throw Object.assign(new Error('throttled'), { name });
        return await next(args);
      },
    { step: 'initialize', priority: 'high' },
  );
  const patientRef = newPatientRef();
  await batchWrite(dynamo, 'CareRecords', [{ PutRequest: { Item: { patientRef, sk: '1#' } } }]);
  expect(errors).toEqual([]);
  expect(await careRecordKeys(patientRef)).toEqual(['1#']);
});
