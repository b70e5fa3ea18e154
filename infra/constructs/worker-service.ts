import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc } from 'aws-cdk-lib/aws-ec2';
import {
  Cluster,
  ContainerInsights,
  Secret as ContainerSecret,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  type ICluster,
  LinuxParameters,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { allObjectsFinding } from './data-bucket.ts';
import { workerStartPermissions } from './permissions.ts';
import { workerImage } from './worker-image.ts';

export interface WorkerServiceProps {
  readonly deployment: string;
  readonly vpc: IVpc;
  readonly securityGroup: ISecurityGroup;
  readonly environment: Readonly<Record<string, string>>;
  /** setting names, and the secret that holds each one under its name */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** key that the secrets are encrypted with */
  readonly encryptionKey: Key;
  /** permissions of its code */
  readonly permissions: readonly PolicyStatement[];
  readonly removalPolicy: RemovalPolicy;
}

/** One worker holds the line. The other takes over within the lease time. */
export const workerTasks = 2;
/** Port of the worker's health check (worker/health.ts). */
const healthPort = 8_080;

/**
 * The workers: two or more, of which one holds the line and the others stand by. There is no autoscaling: more workers
 * would not use the line better, and each task that starts or stops may move the lease.
 */
export class WorkerService extends Construct {
  readonly service: FargateService;
  readonly logGroup: LogGroup;
  /** build ID of this version for Temporal */
  readonly buildId: string;
  constructor(scope: Construct, id: string, props: WorkerServiceProps) {
    super(scope, id);
    const { deployment, vpc, securityGroup, environment, secrets, encryptionKey, permissions, removalPolicy } = props;
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.logGroup = logGroup;
    const { image, repositoryArn, buildId } = workerImage(this);
    this.buildId = buildId;
    const roleFor = (role: string, statements: readonly PolicyStatement[]) =>
      new Role(this, role, {
        assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
        inlinePolicies: { worker: new PolicyDocument({ statements: [...statements] }) },
      });
    const taskRole = roleFor('TaskRole', permissions);
    const startRole = roleFor(
      'StartRole',
      workerStartPermissions(this, {
        encryptionKey,
        secrets: [...new Set(Object.values(secrets))],
        repositoryArn,
        logGroupArn: logGroup.logGroupArn,
      }),
    );
    // Refers to the secret by its ARN, so that CDK adds no grants to the key policy: the role has all permissions.
    const secretSettings = [...new Set(Object.values(secrets))].flatMap((secret) => {
      const { node, secretArn: secretCompleteArn } = secret;
      const named = Secret.fromSecretAttributes(this, `Secret${node.addr}`, { secretCompleteArn });
      const names = Object.keys(secrets).filter((name) => secrets[name] === secret);
      return names.map((name) => [name, ContainerSecret.fromSecretsManager(named, name)] as const);
    });
    const task = new FargateTaskDefinition(this, 'Task', {
      cpu: 1_024,
      memoryLimitMiB: 4_096, // 1 GiB of heap for each of the two processes, and a third process that splits answers
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.ARM64, // Graviton
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
      taskRole,
      executionRole: startRole.withoutPolicyUpdates(), // it has all permissions that it needs
    });
    task.addContainer('worker', {
      image,
      environment: { ...environment, WORKER_BUILD_ID: buildId, HEALTH_PORT: String(healthPort) },
      secrets: Object.fromEntries(secretSettings),
      logging: LogDriver.awsLogs({ logGroup, streamPrefix: 'worker' }),
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }), // forwards SIGTERM to node and reaps zombie processes
      readonlyRootFilesystem: true,
      stopTimeout: Duration.seconds(60), // requests end, the lease is released, activities end: 25 s (worker/main.ts)
      healthCheck: {
        command: ['CMD', 'node', 'worker/ask-health.mjs', String(healthPort)],
        interval: Duration.seconds(15),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(90), // a cold start, and an old lease that must expire first
      },
    });
    this.service = new FargateService(this, 'Service', {
      cluster: new Cluster(this, 'Cluster', { vpc, containerInsightsV2: ContainerInsights.ENABLED }) as ICluster,
      taskDefinition: task,
      desiredCount: workerTasks,
      securityGroups: [securityGroup],
      assignPublicIp: false,
      minHealthyPercent: 100, // the new worker stands by before the old one releases the line
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      enableExecuteCommand: false, // no shell access to patient data
    });
    this.service.node.addDependency(vpc.selectSubnets().internetConnectivityEstablished); // tasks that cannot fetch their image would trip the circuit breaker
    for (const prefix of ['payloads', 'lists', 'documents', 'exports'])
      Validations.of(taskRole).acknowledge({
        id: allObjectsFinding(deployment, prefix),
        reason: 'The worker writes, reads and removes objects of all patients.',
      });
    Validations.of(startRole).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'A login to the account’s image registry cannot be limited to a resource.',
    });
    Validations.of(task).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason: 'The environment holds addresses and limits. Secrets come from Secrets Manager.',
    });
  }
}
