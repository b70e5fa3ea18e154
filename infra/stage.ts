import { RemovalPolicy } from 'aws-cdk-lib';

/** The stages: `-c stage=…`. The default is `prod`, so that a forgotten option deletes no data. */
export const stages = ['prod', 'dev', 'local'] as const;
export type Stage = (typeof stages)[number];

export function stageOf(context: unknown): Stage {
  const stage = stages.find((known) => known === (context ?? 'prod'));
  if (stage === undefined)
    throw new Error(`unknown stage ${String(context)}: set -c stage= to one of ${stages.join(', ')}`);
  return stage;
}

/** Returns what happens to data if its stack is deleted: kept in production, deleted elsewhere. */
export const removalPolicyOf = (stage: Stage): RemovalPolicy =>
  stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
