import { RemovalPolicy } from 'aws-cdk-lib';

/** Where it is deployed: `-c stage=…`; `prod` unless told, so that nobody loses data for want of an option. */
export const stages = ['prod', 'dev', 'local'] as const;
export type Stage = (typeof stages)[number];

export function stageOf(context: unknown): Stage {
  const stage = stages.find((known) => known === (context ?? 'prod'));
  if (stage === undefined) throw new Error(`the context "stage" is one of ${stages.join(', ')}`);
  return stage;
}

/** What becomes of data when its stack goes: kept in production, deleted elsewhere. */
export const removalPolicyOf = (stage: Stage): RemovalPolicy =>
  stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
