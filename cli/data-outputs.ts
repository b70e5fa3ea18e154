import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { z } from 'zod';

const dataOutputs = z.object({
  BucketName: z.string(),
  AnchorBucketName: z.string(),
  SecretArn: z.string(),
  InsurerSecretArn: z.string(),
});

/** Reads the outputs of the data stack. Account and region come from the variables of AWS, such as AWS_ENDPOINT_URL. */
export async function readDataOutputs(): Promise<z.infer<typeof dataOutputs>> {
  const formation = new CloudFormationClient({});
  try {
    const { Stacks = [] } = await formation.send(new DescribeStacksCommand({ StackName: 'EpaSyncData' }));
    const outputs = Stacks.flatMap(({ Outputs = [] }) => Outputs);
    return dataOutputs.parse(Object.fromEntries(outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue])));
  } finally {
    formation.destroy();
  }
}
