import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import { PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  type Architecture,
  type Code,
  type IFunction,
  type IVersion,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { allObjectsFinding } from './data-bucket.ts';
import { allow } from './permissions.ts';

export interface ApiFunctionProps {
  readonly deployment: string;
  readonly code: Code;
  /** lambdas/functions/{name}.ts */
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** permissions, in addition to writing its log */
  readonly permissions: readonly PolicyStatement[];
  readonly architecture: Architecture;
  readonly removalPolicy: RemovalPolicy;
}

/** One Lambda with its own role and log group. */
export class ApiFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly logGroup: LogGroup;
  constructor(scope: Construct, id: string, props: ApiFunctionProps) {
    super(scope, id);
    const { deployment, code, name, environment, permissions, architecture, removalPolicy } = props;
    const logGroup = new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.logGroup = logGroup;
    const statements = [...permissions, allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn)];
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { [name]: new PolicyDocument({ statements }) },
    });
    this.lambda = new LambdaFunction(this, 'Function', {
      description: `epa-sync: ${name}`,
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code,
      handler: `${name}.handler`,
      environment: { ...environment, NODE_OPTIONS: '--enable-source-maps' },
      role,
      logGroup,
      memorySize: 1_024, // for the CPU share that comes with it, because a cold start parses 3 MB of code
      timeout: Duration.seconds(29), // the limit of API Gateway
      tracing: Tracing.DISABLED, // X-Ray records the address of each call to AWS, with keys of objects and so patientRefs
    });
    Validations.of(role).acknowledge({
      id: allObjectsFinding(deployment, 'documents'),
      reason: 'The documents of all patients. The link decides which one may be read, and the access is recorded.',
    });
    Validations.of(role).acknowledge({
      id: allObjectsFinding(deployment, 'reports'),
      reason:
        'The reports of the access logs of all patients. Each is recorded when it is made, and deleted after a day.',
    });
    Validations.of(role).acknowledge({
      id: allObjectsFinding(deployment, 'exports'),
      reason:
        'The files of all exports. Only the caller who has started an export gets links, for a quarter of an hour.',
    });
  }
}

/**
 * Lets AWS keep containers of a Lambda ready. They belong to a version, so callers must use the alias that this returns.
 * @param containers how many
 */
export const keepReady = (lambda: LambdaFunction, containers: number): IFunction =>
  new Alias(lambda, 'Ready', {
    aliasName: 'ready',
    version: lambda.currentVersion as IVersion, // a new one with each change of code or settings
    provisionedConcurrentExecutions: containers,
  }) as IFunction;
