import { RemovalPolicy } from 'aws-cdk-lib';
import { workerSettings } from '../core/config.ts';

/** The stages: `-c stage=…`. The default is `prod`, so that a forgotten option deletes no data. */
export const stages = ['prod', 'dev', 'local'] as const;
export type Stage = (typeof stages)[number];

export function stageOf(context: unknown): Stage {
  const stage = stages.find((known) => known === (context ?? 'prod'));
  if (stage === undefined)
    throw new Error(`unknown stage ${String(context)}: set -c stage= to one of ${stages.join(', ')}`);
  return stage;
}

/**
 * Returns the deployment of `-c deployment=…`. A stage's name is rejected: its entry in cdk.json holds the settings of the
 * default deployment, and two deployments must never have one line to the same insurer each.
 */
export function deploymentOf(context: unknown): string {
  const { data, error } = workerSettings.shape.DEPLOYMENT.safeParse(context);
  if (data === undefined || stages.some((stage) => stage === data))
    throw new Error(
      `bad deployment: ${error?.issues[0]?.message ?? 'it is a stage'}. Set -c deployment=kk-nord, for example`,
    );
  return data;
}

/** Returns what happens to data if its stack is deleted: kept in production, deleted elsewhere. */
export const removalPolicyOf = (stage: Stage): RemovalPolicy =>
  stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
