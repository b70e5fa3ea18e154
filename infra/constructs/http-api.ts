import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  type CfnRestApi,
  type CorsOptions,
  EndpointAccessMode,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigateway';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { type Group, operations } from '../../lambdas/http/routes.ts';
import { addProblemResponses } from './problem-responses.ts';

export interface HttpApiProps {
  readonly deployment: string;
  /** the Lambda for the operations of each group */
  readonly lambdas: Readonly<Record<Group, IFunction>>;
  readonly consoleOrigin: string;
  /** origin of the pages that may use the codec endpoint; default: the console */
  readonly temporalUiOrigin: string | undefined;
  /** ARN of the account's firewall, if there is one */
  readonly webAclArn: string | undefined;
  /** whether clients need TLS 1.2 or newer; an emulator does not know the setting */
  readonly needsNewTls: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The log format of requests, without callers and patients. The path is that of the route, such as
 * /patients/{patientRef}.
 */
const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    time: '$context.requestTime',
    method: '$context.httpMethod',
    route: '$context.resourcePath',
    status: '$context.status',
    responseBytes: '$context.responseLength',
    latencyMs: '$context.responseLatency',
    lambdaLatencyMs: '$context.integrationLatency',
    tlsVersion: '$context.tlsVersion',
    cipherSuite: '$context.cipherSuite',
  }),
);

const preflight = (origin: string, headers: readonly string[]): CorsOptions => ({
  allowOrigins: [origin],
  allowMethods: ['GET', 'POST'],
  allowHeaders: ['authorization', 'content-type', ...headers],
  maxAge: Duration.hours(1),
});

/** The REST API: one route for each operation of the table. */
export class HttpApi extends Construct {
  readonly api: RestApi;
  readonly accessLog: LogGroup;
  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    const { deployment, lambdas, consoleOrigin, temporalUiOrigin, webAclArn, needsNewTls, removalPolicy } = props;
    const accessLog = new LogGroup(this, 'AccessLog', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.accessLog = accessLog;
    this.api = new RestApi(this, 'Api', {
      restApiName: deployment, // CloudWatch tells APIs apart by this name only,
      endpointTypes: [EndpointType.REGIONAL],
      cloudWatchRole: true, // one role for the account, which API Gateway needs for its access log
      defaultCorsPreflightOptions: preflight(consoleOrigin, ['accept', 'x-correlation-id']),
      deployOptions: {
        stageName: 'v1',
        throttlingRateLimit: 100, // requests per second, for all users
        throttlingBurstLimit: 200,
        tracingEnabled: false, // X-Ray would store whole URLs, with pseudonyms and document links, and client addresses
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.OFF, // would log bodies, tokens and pseudonyms
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat,
      },
    });
    if (needsNewTls) {
      const { defaultChild } = this.api.node;
      // Without it, the API accepts TLS 1.0. RestApi of CDK has no property for it.
      (defaultChild as CfnRestApi).securityPolicy = SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09;
      // AWS asks for BASIC first in an API that exists. Both modes refuse old TLS; STRICT also compares SNI and host.
      (defaultChild as CfnRestApi).endpointAccessMode = EndpointAccessMode.BASIC;
    }
    addProblemResponses(this.api, consoleOrigin);
    if (temporalUiOrigin !== undefined) {
      const defaultCorsPreflightOptions = preflight(temporalUiOrigin, ['x-namespace']);
      this.api.root.addResource('codec', { defaultCorsPreflightOptions }); // its routes inherit this
    }
    for (const { method, path, group } of Object.values(operations)) {
      const integration = new LambdaIntegration(lambdas[group], { allowTestInvoke: false });
      this.api.root.resourceForPath(path).addMethod(method, integration);
    }
    if (webAclArn !== undefined) {
      const { stageArn: resourceArn } = this.api.deploymentStage;
      new CfnWebACLAssociation(this, 'Firewall', { resourceArn, webAclArn });
    }
    Validations.of(this.api).acknowledge(
      {
        id: 'AwsSolutions-APIG2',
        reason:
          'Each Lambda validates with the schemas of the table, which are more precise than models of API Gateway.',
      },
      {
        id: 'AwsSolutions-APIG3',
        reason:
          'The rules of a firewall depend on where the API can be reached from, so the account provides it (WEB_ACL_ARN).',
      },
      {
        id: 'AwsSolutions-APIG4',
        reason:
          'A middleware checks tokens of any OIDC issuer for every operation, because rejected requests must be recorded.',
      },
      { id: 'AwsSolutions-COG4', reason: 'The issuer belongs to the hospital and is not Cognito.' },
      {
        id: 'AwsSolutions-APIG6',
        reason: 'An execution log would hold tokens, pseudonyms and KVNRs. The Lambdas log without them.',
      },
      {
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: 'API Gateway accepts no smaller role for the account: it checks that the role may write any log.',
      },
    );
  }
}
