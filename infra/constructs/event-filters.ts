import { FilterCriteria, FilterRule } from 'aws-cdk-lib/aws-lambda';

/** Filters of a mapping. Lambda gets a write if one of them matches. */
export type StreamFilters = ReturnType<typeof FilterCriteria.filter>[];

/*
 * A filter sees one write, and cannot compare it with the one before. So these let through more than becomes an event
 * (core/domain/fact.ts decides that), but not what goes on each second. What they drop costs nothing.
 */

/** Drops renewals of the lease of an open line: one write a second. */
export const lineFilters: StreamFilters = [
  FilterCriteria.filter({ dynamodb: { NewImage: { state: { S: FilterRule.isEqual('paused') } } } }),
  FilterCriteria.filter({ dynamodb: { OldImage: { state: { S: FilterRule.isEqual('paused') } } } }),
  FilterCriteria.filter({ dynamodb: { NewImage: { cooldownMs: { N: FilterRule.notEquals('0') } } } }),
];

/** Drops everything but runs of this insurer, and of these the progress in between. */
export const runFilters = (insurerId: string): StreamFilters => {
  const runOf = (progress: object) =>
    FilterCriteria.filter({
      dynamodb: { Keys: { insurerId: { S: FilterRule.isEqual(insurerId) } }, NewImage: { progress: { M: progress } } },
    });
  return [
    runOf({ state: { S: FilterRule.notEquals('running') } }),
    runOf({ decision: { M: { listId: { S: FilterRule.exists() } } } }),
  ];
};
