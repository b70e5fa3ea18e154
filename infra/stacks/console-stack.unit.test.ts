import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { defaultDeployment } from '../../core/contract/deployment.ts';
import { readConsoleSettings } from '../settings.ts';
import type { Stage } from '../stage.ts';
import { ConsoleStack } from './console-stack.ts';
import { DataStack } from './data-stack.ts';

const context = {
  OIDC_ISSUER: 'https://login.klinik.example/realm',
  CONSOLE_ORIGIN: 'https://konsole.klinik.example',
  'aws:cdk:bundling-stacks': [],
};
const certificate = { CONSOLE_CERTIFICATE_ARN: 'arn:aws:acm:us-east-1:123456789012:certificate/1234-abcd' };
const ownBootstrap = { '@aws-cdk/core:bootstrapQualifier': 'klinik' };
const origin = 'https://v1abc23.execute-api.eu-central-1.amazonaws.com'; // the API ID may begin like the name of the stage
const api = { origin, url: `${origin}/v1` };

function appFor(settings: object, stage: Stage = 'prod') {
  const app = new App({ context: { ...context, ...settings } });
  const { bucket: documents } = new DataStack(app, 'EpaSyncData', { deployment: defaultDeployment, stage });
  const read = readConsoleSettings(app.node, stage);
  return { app, page: new ConsoleStack(app, 'EpaSyncConsole', { stage, settings: read, api, documents }) };
}
const template = Template.fromStack(appFor(certificate).page);
// biome-ignore lint/suspicious/noExplicitAny: properties of a template have no types
type Properties = any;
const of = (type: string, from = template): Properties[] =>
  Object.values(from.findResources(type)).map(({ Properties }) => Properties);

test('the page is in a private bucket that only its CloudFront distribution may read', () => {
  const [bucket] = of('AWS::S3::Bucket');
  expect(bucket.PublicAccessBlockConfiguration).toEqual({
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  });
  const [policy] = of('AWS::S3::BucketPolicy');
  const allowed = policy.PolicyDocument.Statement.filter(({ Effect }: Properties) => Effect === 'Allow');
  expect(allowed).toMatchObject([
    { Action: 's3:GetObject', Principal: { Service: 'cloudfront.amazonaws.com' }, Condition: { StringEquals: {} } },
  ]);
  expect(JSON.stringify(allowed[0].Condition)).toContain('AWS:SourceArn');
  expect(of('AWS::CloudFront::OriginAccessControl')).toHaveLength(1);
});

test('the page is served over TLS 1.2 or newer, under its own name', () => {
  const [{ DistributionConfig }] = of('AWS::CloudFront::Distribution');
  expect(DistributionConfig).toMatchObject({
    Aliases: ['konsole.klinik.example'],
    DefaultRootObject: 'index.html',
    DefaultCacheBehavior: { ViewerProtocolPolicy: 'redirect-to-https' },
    ViewerCertificate: { MinimumProtocolVersion: 'TLSv1.2_2021', SslSupportMethod: 'sni-only' },
  });
});

test('without a certificate, the page has the name of CloudFront', () => {
  const [{ DistributionConfig }] = of('AWS::CloudFront::Distribution', Template.fromStack(appFor({}).page));
  expect(DistributionConfig.Aliases).toBeUndefined();
});

test('the stage dev deletes the bucket and its content; production keeps them', () => {
  const emptied = (from: Template) =>
    of('Custom::S3AutoDeleteObjects', from).map(({ BucketName }) => BucketName.Ref as string);
  const dev = Template.fromStack(appFor(certificate, 'dev').page);
  expect(emptied(dev)).toEqual(Object.keys(dev.findResources('AWS::S3::Bucket', { DeletionPolicy: 'Delete' })));
  expect(emptied(dev)).toHaveLength(1);
  expect(emptied(template)).toEqual([]);
});

test('the page has a firewall if the account has one', () => {
  const CONSOLE_WEB_ACL_ARN = 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/klinik/1234-abcd';
  const page = Template.fromStack(appFor({ ...certificate, CONSOLE_WEB_ACL_ARN }).page);
  expect(of('AWS::CloudFront::Distribution', page)[0].DistributionConfig.WebACLId).toBe(CONSOLE_WEB_ACL_ARN);
  const elsewhere = CONSOLE_WEB_ACL_ARN.replace('us-east-1', 'eu-central-1');
  expect(() => appFor({ CONSOLE_WEB_ACL_ARN: elsewhere })).toThrow(/CONSOLE_WEB_ACL_ARN/);
});

test('the page runs only its own code, and connects only to the API, the issuer and the bucket of documents', () => {
  const [{ ResponseHeadersPolicyConfig: headers }] = of('AWS::CloudFront::ResponseHeadersPolicy');
  const policy = JSON.stringify(headers.SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).toContain(
    "connect-src 'self' https://v1abc23.execute-api.eu-central-1.amazonaws.com https://login.klinik.example https://",
  );
  expect(policy).not.toContain('unsafe');
  expect(headers.SecurityHeadersConfig).toMatchObject({
    FrameOptions: { FrameOption: 'DENY' },
    ReferrerPolicy: { ReferrerPolicy: 'no-referrer' },
    StrictTransportSecurity: { AccessControlMaxAgeSec: 63_072_000 },
  });
});

test('the page gets the issuer’s scope, audience and claim, and the policy gets its further origins', () => {
  const settings = {
    OIDC_ROLES_CLAIM: 'https://klinik.example/roles',
    CONSOLE_SCOPE: 'openid profile offline_access',
    CONSOLE_AUDIENCE: 'urn:epa-sync:api',
    CONSOLE_ISSUER_ORIGINS: 'https://tokens.klinik.example, https://login.klinik.example:8443/x',
  };
  const { app, page } = appFor(settings);
  const { directory } = app.synth();
  const [config = ''] = globSync('asset.*/config.json', { cwd: directory });
  expect(JSON.parse(readFileSync(join(directory, config), 'utf8'))).toEqual({
    apiUrl: api.url,
    oidcIssuer: context.OIDC_ISSUER,
    oidcClientId: 'console',
    oidcScope: 'openid profile offline_access',
    oidcAudience: 'urn:epa-sync:api',
    oidcRolesClaim: 'https://klinik.example/roles',
  });
  const [{ ResponseHeadersPolicyConfig: headers }] = of(
    'AWS::CloudFront::ResponseHeadersPolicy',
    Template.fromStack(page),
  );
  const policy = JSON.stringify(headers.SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy);
  expect(policy).toContain(
    'https://login.klinik.example https://tokens.klinik.example https://login.klinik.example:8443 ',
  );
});

test('assets of open pages survive a deployment, and the files that refer to them are uploaded later and never cached', () => {
  const [assets, files] = Object.values(template.findResources('Custom::CDKBucketDeployment')).sort(
    (a, b) => Number(a['Properties'].Prune) - Number(b['Properties'].Prune),
  );
  expect(assets?.['Properties']).toMatchObject({
    Prune: false,
    Exclude: ['*'],
    Include: ['assets/*'],
    SystemMetadata: { 'cache-control': 'public, max-age=31536000, immutable' },
  });
  expect(files).toMatchObject({
    Properties: { Prune: true, Exclude: ['assets/*'], SystemMetadata: { 'cache-control': 'no-cache' } },
    DependsOn: expect.arrayContaining([expect.stringMatching(/^PageAssets/)]),
  });
});

test('the upload role may only upload, and has no action on all resources', () => {
  const statements = of('AWS::IAM::Role').flatMap(({ Policies = [] }) =>
    Policies.flatMap(({ PolicyDocument }: Properties) => PolicyDocument.Statement),
  );
  for (const { Action, Resource } of statements) {
    expect([Action].flat().filter((action: string) => action.includes('*'))).toEqual([]);
    expect(Resource).not.toBe('*');
  }
  expect(of('AWS::IAM::Policy')).toEqual([]);
});

test('all findings of the AWS Solutions checks are accepted with a reason', () => {
  const apps = [appFor(certificate), appFor({}), appFor(certificate, 'dev'), appFor(ownBootstrap)];
  for (const { app } of apps) {
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const { directory } = app.synth();
    const report = JSON.parse(readFileSync(join(directory, 'validation-report.json'), 'utf8')) as unknown;
    expect(report).toMatchObject({ pluginReports: [] });
  }
});

test('the files of the page come from the bootstrap of the account, also with a qualifier of its own', () => {
  const own = JSON.stringify(Template.fromStack(appFor(ownBootstrap).page).toJSON());
  expect(own).toContain('cdk-klinik-assets-');
  expect(own).not.toContain('hnb659fds');
});

test.each(['OIDC_ISSUER', 'CONSOLE_ORIGIN', 'CONSOLE_ISSUER_ORIGINS'])('%s must be https', (name) => {
  const given = name === 'CONSOLE_ISSUER_ORIGINS' ? 'https://a.example,http://b.example' : 'http://a.example';
  expect(() => appFor({ [name]: given })).toThrow(new RegExp(`^invalid configuration: ${name}: must begin with https`));
});
