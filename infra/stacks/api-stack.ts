import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { RestApi } from 'aws-cdk-lib/aws-apigateway';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { type Group, groups } from '../../lambdas/http/routes.ts';
import type { AccessAnchors } from '../constructs/access-anchors.ts';
import { AnchorFunction } from '../constructs/anchor-function.ts';
import { ApiFunction, keepReady } from '../constructs/api-function.ts';
import { ChangeFeed } from '../constructs/change-feed.ts';
import { DailySchedule } from '../constructs/daily-schedule.ts';
import { EventFunction, type EventStreams } from '../constructs/event-function.ts';
import { HttpApi } from '../constructs/http-api.ts';
import { lambdaCode } from '../constructs/lambda-code.ts';
import { permissionsFor } from '../constructs/permissions.ts';
import type { ApiSettings } from '../settings.ts';
import { removalPolicyOf, type Stage } from '../stage.ts';

export interface ApiStackProps extends StackProps {
  readonly deployment: string;
  readonly stage: Stage;
  readonly settings: ApiSettings;
  readonly encryptionKey: Key;
  readonly bucket: Bucket;
  readonly secret: Secret;
  /** not used on a laptop: keys of the secret replace it, because they outlive the emulator */
  readonly payloadKey: Key;
  readonly anchors: AccessAnchors;
  readonly accessLogStreamArn: string;
  readonly eventStreamArns: EventStreams;
  readonly eventBus: EventBus;
}

/** The HTTP API, its Lambdas, and the schedule of the daily run. */
export class ApiStack extends Stack {
  readonly api: RestApi;
  /** origin of the API under its AWS name */
  readonly origin: string;
  /** address of the API, without a slash at the end */
  readonly url: string;
  readonly lambdas: Readonly<Record<Group | 'schedule' | 'anchors' | 'change-feed' | 'events', LambdaFunction>>;
  /** daily runs that could not be started */
  readonly missedDays: Queue;
  /** batches of writes of patients that others were not told of */
  readonly changeFailures: Queue;
  /** batches of writes that did not become events */
  readonly eventFailures: Queue;
  constructor(scope: Construct, id: string, props: ApiStackProps) {
    const { deployment, stage, settings, encryptionKey, bucket, secret, payloadKey: key, ...more } = props;
    const { anchors, accessLogStreamArn, eventStreamArns, eventBus, ...rest } = more;
    super(scope, id, { description: 'epa-sync: HTTP API and schedule', ...rest });
    const removalPolicy = removalPolicyOf(stage);
    const code = lambdaCode();
    const payloadKey = stage === 'local' ? undefined : key;
    const {
      SYNC_HOUR,
      RUN_DUE_HOUR: _,
      WEB_ACL_ARN: webAclArn,
      PATIENTS_PROVISIONED_CONCURRENCY: keptReady,
      ...shared
    } = settings;
    const permissions = permissionsFor(this, {
      ...{ deployment, encryptionKey, bucket, secret, payloadKey },
      oldPayloadKeyArns: shared.OLD_PAYLOAD_KEY_ARNS,
      insurerId: settings.INSURER_ID,
      anchorBucket: anchors.bucket,
    });
    const environment = {
      DEPLOYMENT: deployment,
      ...Object.fromEntries(
        Object.entries(shared).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
      ),
      BUCKET_NAME: bucket.bucketName,
      ANCHOR_BUCKET_NAME: anchors.bucket.bucketName,
      SECRET_ID: secret.secretArn,
      ...(payloadKey && { PAYLOAD_KMS_KEY: payloadKey.keyArn }),
    };
    // An emulator runs Lambdas in a container on the deploying machine, so the architecture must match.
    const architecture = stage === 'local' && process.arch === 'x64' ? Architecture.X86_64 : Architecture.ARM_64;
    const logGroupNames: string[] = [];
    const lambdaOf = (name: keyof typeof permissions) => {
      const own = { deployment, code, name, environment, permissions: permissions[name], architecture, removalPolicy };
      const { lambda, logGroup } = new ApiFunction(this, name, own);
      logGroupNames.push(logGroup.logGroupName);
      return lambda;
    };
    const lambdas = Object.fromEntries(groups.map((group) => [group, lambdaOf(group)])) as Record<
      Group,
      LambdaFunction
    >;
    const { api, accessLog } = new HttpApi(this, 'Http', {
      deployment,
      lambdas: keptReady === undefined ? lambdas : { ...lambdas, patients: keepReady(lambdas.patients, keptReady) },
      consoleOrigin: settings.CONSOLE_ORIGIN,
      temporalUiOrigin: settings.TEMPORAL_UI_ORIGIN,
      webAclArn,
      needsNewTls: stage !== 'local',
      removalPolicy,
    });
    const schedule = lambdaOf('schedule');
    const { missedDays } = new DailySchedule(this, 'Daily', { lambda: schedule, hour: SYNC_HOUR });
    const { lambda: anchoring } = new AnchorFunction(this, 'Anchors', {
      code,
      anchors,
      streamArn: accessLogStreamArn,
      deployment,
      insurerId: settings.INSURER_ID,
      architecture,
    });
    const changeFeed = new ChangeFeed(this, 'ChangeFeed', {
      code,
      streamArn: eventStreamArns.patients,
      permissions: permissions['change-feed'],
      deployment,
      insurerId: settings.INSURER_ID,
      architecture,
      removalPolicy,
    });
    logGroupNames.push(changeFeed.logGroup.logGroupName);
    const publishing = new EventFunction(this, 'Events', {
      code,
      bus: eventBus,
      streamArns: eventStreamArns,
      encryptionKey,
      deployment,
      insurerId: settings.INSURER_ID,
      architecture,
      removalPolicy,
    });
    this.api = api;
    this.origin = `https://${api.restApiId}.execute-api.${this.region}.${this.urlSuffix}`;
    this.url = `${this.origin}/${api.deploymentStage.stageName}`;
    this.lambdas = {
      ...lambdas,
      schedule,
      anchors: anchoring,
      'change-feed': changeFeed.lambda,
      events: publishing.lambda,
    };
    this.missedDays = missedDays;
    this.changeFailures = changeFeed.failures;
    this.eventFailures = publishing.failures;
    new CfnOutput(this, 'ApiUrl', { value: this.url });
    new CfnOutput(this, 'ApiId', { value: api.restApiId });
    new CfnOutput(this, 'MissedDaysUrl', { value: missedDays.queueUrl });
    new CfnOutput(this, 'ChangeFailuresUrl', { value: changeFeed.failures.queueUrl });
    new CfnOutput(this, 'EventFailuresUrl', { value: publishing.failures.queueUrl });
    new CfnOutput(this, 'EventLogGroupName', { value: publishing.logGroup.logGroupName });
    new CfnOutput(this, 'AccessLogGroupName', { value: accessLog.logGroupName });
    new CfnOutput(this, 'LambdaLogGroupNames', { value: logGroupNames.join(' ') });
  }
}
