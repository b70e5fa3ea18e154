import { Duration, Validations } from 'aws-cdk-lib';
import { type EventSourceMappingOptions, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

// What all Lambdas that read the stream of a table have in common.

/** Creates the queue for the batches that a Lambda could not read in time. A message has positions in the stream only. */
export function failureQueue(scope: Construct): Queue {
  const queue = new Queue(scope, 'Failures', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  Validations.of(queue).acknowledge({
    id: 'AwsSolutions-SQS3',
    reason: 'This is the queue of failures. Only people read it.',
  });
  return queue;
}

/** Returns how a stream is read, so that nothing is left out, and a batch that keeps failing reaches the queue. */
export const readingAll = (failures: Queue) =>
  ({
    startingPosition: StartingPosition.TRIM_HORIZON, // also what was written before the mapping
    bisectBatchOnError: true,
    maxRecordAge: Duration.hours(23), // the stream forgets after 24
    onFailure: new SqsDlq(failures),
  }) satisfies EventSourceMappingOptions;
