/** The deployment of an account that holds no other. */
export const defaultDeployment = 'epa-sync';

/** Words of a-z and 0-9 with hyphens between them. Each begins with a letter, so no two names give the same stack name. */
export const deploymentPattern = /^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/;
/** The longest name of a deployment. A bucket has 63 characters, with the account and the region. */
export const deploymentMaxLength = 30;

/** The stacks of a deployment, and how their names end. */
export type StackPart = 'Data' | 'Api' | 'Worker' | 'Console' | 'Observability';

/** Returns the name of a stack: `EpaSyncData` for `epa-sync`, `KkNordData` for `kk-nord`. */
export function stackNameOf(deployment: string, part: StackPart): string {
  const words = deployment.split('-').map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `${words.join('')}${part}`;
}
