import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { LogRetention, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAgentSettings } from '#infra/aws/agent-access-stack.ts';
import { buildAgentAccess, createApp } from '#infra/aws/build-app.ts';
import { applyPlatform } from '#infra/aws/platform.ts';
import { readSettings } from '#infra/aws/settings.ts';
import { everything, minimal, synthesise, type Resource, type Synthesised } from './deployment.ts';

const demands = {
  permissionsBoundary: 'platform/developers',
  tags: 'owner=team hawser,cost-centre=42/7',
  qualifier: 'platform1',
};
const boundary = 'arn:aws:iam::123456789012:policy/platform/developers';

const agentContext: Record<string, string> = {
  environment: 'prod',
  region: 'eu-central-1',
  organisation: 'acme',
  account: '123456789012',
  cluster: 'one',
  cipherKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/0a',
  oidcProviderArn: 'arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/0A',
};

describe('what the platform of an account asks', () => {
  let made: Synthesised;
  let agent: Resource[];
  beforeAll(() => {
    made = synthesise({ ...everything, ...demands });
    agent = synthesiseAgent({ ...agentContext, ...demands });
  }, 120_000);
  afterAll(() => made.remove());
  const resources = () => [...made.all.flatMap((one) => Object.values(one.Resources)), ...agent];

  test('no role is without the boundary, and nothing else can hold permissions', () => {
    const roles = resources().filter(({ Type }) => Type === 'AWS::IAM::Role');

    expect(roles.length).toBeGreaterThanOrEqual(14);
    expect(roles.filter(({ Properties }) => Properties?.['PermissionsBoundary'] !== boundary)).toEqual([]);
    expect(resources().filter(({ Type }) => /^AWS::IAM::(User|Group)$/.test(Type))).toEqual([]);
  });

  test('roles that CDK makes by itself have it too', () => {
    const app = new App();
    const stack = new Stack(app, 'Future', { env: { account: '123456789012', region: 'eu-central-1' } });
    const settings = readSettings((key) => ({ ...minimal, ...demands })[key]);
    applyPlatform(app, settings);
    // Two things that bring a function with a role of their own; added later than the boundary was asked for.
    const bringing = [
      new LogRetention(stack, 'Retention', { logGroupName: '/x', retention: RetentionDays.ONE_DAY }),
      new Bucket(stack, 'Bucket', { autoDeleteObjects: true, removalPolicy: RemovalPolicy.DESTROY }),
    ];

    const roles = Object.values(Template.fromStack(stack).findResources('AWS::IAM::Role'));

    expect(roles).toHaveLength(bringing.length);
    for (const { Properties } of roles) expect(Properties['PermissionsBoundary']).toBe(boundary);
  });

  test('tags are on every stack, hence on whatever takes tags, and where CDK writes them', () => {
    const wanted = { owner: 'team hawser', 'cost-centre': '42/7', 'hawser:environment': 'prod' };

    for (const { tags, stackName } of made.artifacts) expect(tags, stackName).toMatchObject(wanted);
    for (const { Type, Properties } of resources()) {
      if (Properties?.['Tags'] === undefined) continue;
      const found = Object.fromEntries(tagsIn(Properties['Tags']));
      expect(found, Type).toMatchObject(wanted);
    }
    const tagged = new Set(resources().flatMap(({ Type, Properties }) => (Properties?.['Tags'] ? [Type] : [])));
    expect([...tagged]).toEqual(
      expect.arrayContaining(
        [
          'DynamoDB::Table',
          'SQS::Queue',
          'KMS::Key',
          'Lambda::Function',
          'IAM::Role',
          'Logs::LogGroup',
          'EC2::VPC',
        ].map((type) => `AWS::${type}`),
      ),
    );
  });

  test('another bootstrap stack is used throughout', () => {
    const manifest = JSON.stringify(made.artifacts.map(({ manifest: one }) => one));

    expect(manifest).toContain('cdk-platform1-deploy-role');
    expect(manifest).not.toContain('hnb659fds');
    expect(made.all.every((template) => !JSON.stringify(template).includes('hnb659fds'))).toBe(true);
  });
});

describe('what the platform asks is checked', () => {
  test.each([
    [{ permissionsBoundary: 'arn:aws:iam::aws:policy/PowerUserAccess' }, undefined],
    [{ permissionsBoundary: 'developers' }, undefined],
    [{ permissionsBoundary: 'a b' }, 'is neither name nor ARN'],
    [{ permissionsBoundary: 'arn:aws:iam::123456789012:role/x' }, 'is neither name nor ARN'],
    [{ permissionsBoundary: 'arn:aws:iam::210987654321:policy/x' }, 'must be of account 123456789012'],
    [{ permissionsBoundary: 'arn:aws-cn:iam::123456789012:policy/x' }, 'is of partition aws-cn'],
    [{ tags: 'owner' }, 'is not KEY=VALUE'],
    [{ tags: 'owner=a,,b=c' }, 'is not KEY=VALUE'],
    [{ tags: 'owner=' }, 'is not KEY=VALUE'],
    [{ tags: 'Owner=a,owner=b' }, 'is there twice'],
    [{ tags: 'aws:x=a' }, 'are taken'],
    [{ tags: 'cluster=one' }, "agents' sessions"],
    [{ tags: 'a=<b>' }, 'takes letters'],
    [{ tags: Array.from({ length: 41 }, (_, index) => `k${index}=v`).join(',') }, 'no more than 40'],
    [{ qualifier: 'twelve-chars' }, 'is no qualifier'],
    [{ region: 'eu-central-7' }, 'there are eu-central-1, eu-central-2'],
    [{ region: 'mars-1' }, 'is no region'],
    [{ dataKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/0a' }, 'goes with -c encryption=customer'],
    [{ encryption: 'customer', dataKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/0a' }, 'must be of region'],
    [{ encryption: 'customer', dataKeyArn: 'arn:aws:kms:eu-central-1:123456789012:alias/a' }, 'not an alias'],
    [{ region: 'cn-north-1', waf: 'on' }, 'has none'],
  ])('%o: %s', (more, message) => {
    const read = () => readSettings((key) => new Map(Object.entries({ ...minimal, ...more })).get(key));

    if (message === undefined) expect(read()).toMatchObject(more);
    else expect(read).toThrow(message);
  });

  test('for one cluster’s role, too', () => {
    const read = (more: Record<string, string>) => () =>
      readAgentSettings((key) => ({ ...agentContext, ...more })[key]);

    expect(read({ permissionsBoundary: 'arn:aws:iam::210987654321:policy/x' })).toThrow('must be of account');
    expect(read({ region: 'eu-central-7' })).toThrow('there are eu-central-1');
    expect(read({ tags: 'organisation=x' })).toThrow("agents' sessions");
  });
});

describe('a key that is there already', () => {
  const dataKeyArn = 'arn:aws:kms:eu-central-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef';

  test('encrypts table, queues and topic, and none is made', () => {
    const made = synthesise({ ...everything, dataKeyArn });
    const { state, compute, observability } = made.templates;

    state.resourceCountIs('AWS::KMS::Key', 2);
    state.hasResourceProperties('AWS::DynamoDB::Table', { SSESpecification: { KMSMasterKeyId: dataKeyArn } });
    compute.allResourcesProperties('AWS::SQS::Queue', { KmsMasterKeyId: dataKeyArn });
    observability.hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: dataKeyArn });
    expect(Object.values(state.findOutputs('DataKeyArn'))).toMatchObject([{ Value: dataKeyArn }]);
    made.remove();
  }, 120_000);
});

function synthesiseAgent(context: Record<string, string>): Resource[] {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-synth-'));
  const app = createApp({ outdir: folder });
  const stack = buildAgentAccess(
    app,
    readAgentSettings((key) => context[key]),
  );
  const { Resources: found } = app.synth().getStackArtifact(stack.artifactId).template as {
    Resources: Record<string, Resource>;
  };
  rmSync(folder, { recursive: true, force: true });
  return Object.values(found);
}

/** Tags as one or the other kind of resource has them. */
function tagsIn(tags: unknown): [string, unknown][] {
  if (!Array.isArray(tags)) return Object.entries(tags as object);
  return (tags as { Key: string; Value: unknown }[]).map(({ Key: key, Value: value }) => [key, value]);
}
