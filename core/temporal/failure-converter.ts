import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Moves the message and the stack trace of a failure into a payload, so that the codec encrypts them. Only the `type`
 * stays readable in a history. This is a separate module, because Temporal loads it by its path, into clients and into
 * the workflow bundle.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
