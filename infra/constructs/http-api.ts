import { Duration, type RemovalPolicy, Validations } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  type CorsOptions,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import { type Group, operations } from '../../lambdas/http/routes.ts';
import { addProblemResponses } from './problem-responses.ts';

export interface HttpApiProps {
  /** which Lambda answers the operations of a group */
  readonly lambdas: Readonly<Record<Group, IFunction>>;
  readonly consoleOrigin: string;
  /** whose pages may use the codec endpoint; the console's when absent */
  readonly temporalUiOrigin: string | undefined;
  /** a firewall before it, where the account has one */
  readonly webAclArn: string | undefined;
  readonly removalPolicy: RemovalPolicy;
}

/** What is kept of each request: nothing of who or whom. The path is the route's, such as /patients/{patientRef}. */
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
  }),
);

const preflight = (origin: string, headers: readonly string[]): CorsOptions => ({
  allowOrigins: [origin],
  allowMethods: ['GET', 'POST'],
  allowHeaders: ['authorization', 'content-type', ...headers],
  maxAge: Duration.hours(1),
});

/** The REST API: one route for each operation of the table, and no other. */
export class HttpApi extends Construct {
  readonly api: RestApi;
  readonly accessLog: LogGroup;
  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    const { lambdas, consoleOrigin, temporalUiOrigin, webAclArn, removalPolicy } = props;
    const accessLog = new LogGroup(this, 'AccessLog', { retention: RetentionDays.THREE_MONTHS, removalPolicy });
    this.accessLog = accessLog;
    this.api = new RestApi(this, 'Api', {
      restApiName: 'epa-sync',
      endpointTypes: [EndpointType.REGIONAL],
      cloudWatchRole: true, // API Gateway's own, once for the account: without it there is no access log
      defaultCorsPreflightOptions: preflight(consoleOrigin, ['accept', 'x-correlation-id']),
      deployOptions: {
        stageName: 'v1',
        throttlingRateLimit: 100, // a second, of a whole insurer's staff
        throttlingBurstLimit: 200,
        tracingEnabled: false, // X-Ray would keep each address whole, with its pseudonym or its link to a document, and whose machine asked
        metricsEnabled: true,
        loggingLevel: MethodLoggingLevel.OFF, // of bodies, tokens and pseudonyms
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat,
      },
    });
    addProblemResponses(this.api, consoleOrigin);
    if (temporalUiOrigin !== undefined) {
      const defaultCorsPreflightOptions = preflight(temporalUiOrigin, ['x-namespace']);
      this.api.root.addResource('codec', { defaultCorsPreflightOptions }); // its routes have it from here
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
        reason: 'Each Lambda validates by the schemas of the table, which say more than a model of API Gateway can.',
      },
      {
        id: 'AwsSolutions-APIG3',
        reason:
          'Which rules a firewall has depends on where the API can be reached from: it is the account’s to say (WEB_ACL_ARN).',
      },
      {
        id: 'AwsSolutions-APIG4',
        reason:
          'The middleware that every operation gets checks the token of any OIDC issuer; refusals have to be recorded.',
      },
      { id: 'AwsSolutions-COG4', reason: 'The issuer is the hospital’s own, not Cognito.' },
      {
        id: 'AwsSolutions-APIG6',
        reason: 'An execution log would hold tokens, pseudonyms and KVNRs; the Lambdas log what happened without them.',
      },
      {
        id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
        reason: 'API Gateway takes no smaller role for the account: it checks that it may write any log.',
      },
    );
  }
}
