import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts a failure's message and stack trace into a payload, so that the codec encrypts them: only its `type` stays
 * readable in a history. A module of its own, because Temporal loads it by path, into clients and the workflows' bundle.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
