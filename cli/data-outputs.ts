import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { z } from 'zod';
import { readConfig, workerSettings } from '../core/config.ts';
import { stackNameOf } from '../core/contract/deployment.ts';

const dataOutputs = z.object({
  BucketName: z.string(),
  AnchorBucketName: z.string(),
  SecretArn: z.string(),
  InsurerSecretArn: z.string(),
});

const setting = workerSettings.pick({ DEPLOYMENT: true });

/**
 * Reads the outputs of the data stack of DEPLOYMENT. Account and region come from the variables of AWS, such as
 * AWS_ENDPOINT_URL.
 * @throws ConfigError
 */
export async function readDataOutputs(): Promise<z.infer<typeof dataOutputs> & z.infer<typeof setting>> {
  const { DEPLOYMENT } = readConfig(setting, process.env);
  const formation = new CloudFormationClient({});
  try {
    const { Stacks = [] } = await formation.send(
      new DescribeStacksCommand({ StackName: stackNameOf(DEPLOYMENT, 'Data') }),
    );
    const outputs = Stacks.flatMap(({ Outputs = [] }) => Outputs);
    const found = Object.fromEntries(outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]));
    return { DEPLOYMENT, ...dataOutputs.parse(found) };
  } finally {
    formation.destroy();
  }
}
