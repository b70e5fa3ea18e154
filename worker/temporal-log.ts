import { DefaultLogger } from '@temporalio/worker';
import { faultOf, type Log } from './log.ts';

/** Failed requests are frequent and counted in the progress, so they are not logged one by one. */
const expectedFailure = /^LineError\./;

/** Creates a logger that writes the SDK's warnings and errors to our log, without error messages, which could quote data. */
export const createTemporalLogger = (log: Log): DefaultLogger =>
  new DefaultLogger('WARN', ({ level, message, meta }) => {
    if (message.startsWith('No workflows registered')) return; // expected: the line's workers run activities only
    const error: unknown = meta?.['error'];
    if (error instanceof Error && 'type' in error && expectedFailure.test(String(error.type))) return;
    const facts = {
      taskQueue: textOf(meta?.['taskQueue']),
      activity: textOf(meta?.['activityType']),
      workflowId: textOf(meta?.['workflowId']),
      ...(error !== undefined && { fault: faultOf(error) }),
    };
    if (level === 'ERROR') log.error(message, facts);
    else log.warn(message, facts);
  });

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
