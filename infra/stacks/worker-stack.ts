import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { FargateService } from 'aws-cdk-lib/aws-ecs';
import type { Key } from 'aws-cdk-lib/aws-kms';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { insurerSecrets, sharedSecrets } from '../../core/config.ts';
import { workerPermissions } from '../constructs/permissions.ts';
import { WorkerNetwork } from '../constructs/worker-network.ts';
import { WorkerService } from '../constructs/worker-service.ts';
import type { WorkerSettings } from '../settings.ts';
import { removalPolicyOf, type Stage } from '../stage.ts';

export interface WorkerStackProps extends StackProps {
  readonly deployment: string;
  readonly stage: Stage;
  readonly settings: WorkerSettings;
  readonly encryptionKey: Key;
  readonly bucket: Bucket;
  readonly secret: Secret;
  readonly insurerSecret: Secret;
  readonly payloadKey: Key;
  readonly anchorBucket: Bucket;
}

/** The workers and their network. */
export class WorkerStack extends Stack {
  readonly service: FargateService;
  constructor(scope: Construct, id: string, props: WorkerStackProps) {
    const {
      deployment,
      stage,
      settings,
      encryptionKey,
      bucket,
      secret,
      insurerSecret,
      payloadKey,
      anchorBucket,
      ...rest
    } = props;
    super(scope, id, { description: 'epa-sync: workers and their network', ...rest });
    const removalPolicy = removalPolicyOf(stage);
    const { INSURER_PROXY_PORT: proxyPort, ...shared } = settings;
    const { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OLD_PAYLOAD_KEY_ARNS: oldPayloadKeyArns } = shared;
    const { vpc, securityGroup, outboundAddresses } = new WorkerNetwork(this, 'Network', {
      natGateways: stage === 'prod' ? 2 : 1,
      insurerPort: proxyPort ?? portOf(new URL(settings.INSURER_BASE_URL)),
      temporalPort: portOf(new URL(`https://${settings.TEMPORAL_ADDRESS}`)),
      ...(collector !== undefined && { collectorPort: portOf(new URL(collector)) }),
      removalPolicy,
    });
    const environment = Object.fromEntries(
      Object.entries(shared).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
    const { service, logGroup, buildId } = new WorkerService(this, 'Worker', {
      deployment,
      vpc,
      securityGroup,
      environment: {
        ...environment,
        DEPLOYMENT: deployment,
        AWS_REGION: this.region,
        BUCKET_NAME: bucket.bucketName,
        ANCHOR_BUCKET_NAME: anchorBucket.bucketName,
        PAYLOAD_KMS_KEY: payloadKey.keyArn,
      },
      secrets: {
        ...Object.fromEntries(sharedSecrets.map((name) => [name, secret])),
        ...(collector !== undefined && { OTEL_EXPORTER_OTLP_HEADERS: secret }),
        ...Object.fromEntries(insurerSecrets.map((name) => [name, insurerSecret])),
      },
      encryptionKey,
      permissions: workerPermissions(this, {
        deployment,
        encryptionKey,
        bucket,
        anchorBucket,
        payloadKey,
        oldPayloadKeyArns,
      }),
      removalPolicy,
    });
    this.service = service;
    new CfnOutput(this, 'ClusterName', { value: service.cluster.clusterName });
    new CfnOutput(this, 'ServiceName', { value: service.serviceName });
    new CfnOutput(this, 'LogGroupName', { value: logGroup.logGroupName });
    new CfnOutput(this, 'BuildId', { value: buildId });
    new CfnOutput(this, 'OutboundAddresses', { value: outboundAddresses.join(' ') });
    new CfnOutput(this, 'VpcId', { value: vpc.vpcId });
  }
}

const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === 'http:' ? 80 : 443);
