import { DefaultLogger } from '@temporalio/worker';
import { faultOf, type Log } from './log.ts';

/** A try that the line failed is its daily bread: counted in progress, and no line in a log each. */
const expectedFailure = /^LineError\./;

/** The SDK's own log, warnings and worse, as lines of ours: without messages of errors, which could quote data. */
export const createTemporalLogger = (log: Log): DefaultLogger =>
  new DefaultLogger('WARN', ({ level, message, meta }) => {
    if (message.startsWith('No workflows registered')) return; // the line's workers have none, on purpose
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
