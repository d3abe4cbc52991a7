import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import { readAgentSettings } from '#infra/aws/agent-access-stack.ts';
import {
  agentClusterPolicy,
  agentSessionPolicy,
  agentSessionTrust,
  irsaTrust,
  podIdentityTargetTrust,
  podIdentityTrust,
} from '#infra/aws/agent-policies.ts';
import { buildAgentAccess, createApp } from '#infra/aws/build-app.ts';
import type { PolicyDocument, PolicyScope } from '#infra/aws/policies.ts';

const cipherKeyArn = 'arn:aws:kms:eu-central-1:123456789012:key/0a';
const scope: PolicyScope = {
  environment: 'prod',
  region: 'eu-central-1',
  organisation: 'acme',
  account: '123456789012',
  cipherKeyArn,
  rootKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/0b',
};
const provider = 'arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/0A';
const eksCluster = 'arn:aws:eks:eu-central-1:123456789012:cluster/one';
const workload = { namespace: 'hawser-system', serviceAccount: 'hawser-agent' };

describe('what an agent may do', () => {
  test.each([
    ['in a session', agentSessionPolicy(scope), '${aws:PrincipalTag/organisation}', '${aws:PrincipalTag/cluster}'],
    ['under a role of its own', agentClusterPolicy(scope, 'one'), 'acme', 'one'],
  ])(
    '%s: read the rows of one cluster, open its snapshots, nothing written (NT-100)',
    (_, policy, organisation, cluster) => {
      const rows = policy.Statement.find(({ Sid }) => Sid === 'OwnRows');
      const key = policy.Statement.find(({ Sid }) => Sid === 'OwnSnapshots');

      expect(actionsOf(policy)).toEqual([
        'dynamodb:BatchGetItem',
        'dynamodb:GetItem',
        'dynamodb:Query',
        'kms:Decrypt',
        'sqs:DeleteMessage',
        'sqs:ReceiveMessage',
        'sqs:SendMessage',
      ]);
      const partition = `T#${organisation}#C#${cluster}`;
      expect(rows?.Condition?.['ForAllValues:StringLike']).toEqual({
        'dynamodb:LeadingKeys': [partition, `${partition}#B#*`],
      });
      expect(rows?.Condition?.['Null']).toMatchObject({ 'dynamodb:LeadingKeys': 'false' });
      expect(key?.Condition?.['StringEquals']).toEqual({ 'kms:EncryptionContext:hawser:context': [`${partition}#B`] });
      expect(key?.Resource).toEqual([cipherKeyArn]);
    },
  );

  test('a session without tags reads nothing: its policy asks for both', () => {
    const rows = agentSessionPolicy(scope).Statement.find(({ Sid }) => Sid === 'OwnRows');

    expect(rows?.Condition?.['Null']).toEqual({
      'dynamodb:LeadingKeys': 'false',
      'aws:PrincipalTag/organisation': 'false',
      'aws:PrincipalTag/cluster': 'false',
    });
  });

  test('under a role of its own it has exactly its own wake queue, and sends to the mail only', () => {
    const policy = agentClusterPolicy(scope, 'one');
    const resources = (sid: string) => policy.Statement.find(({ Sid }) => Sid === sid)?.Resource;

    expect(resources('OwnWakeQueue')).toEqual([
      `arn:aws:sqs:eu-central-1:123456789012:hawser-prod-${wakeQueueName('acme', 'one')}`,
    ]);
    expect(resources('Mail')).toEqual(['arn:aws:sqs:eu-central-1:123456789012:hawser-prod-agent-mail']);
  });

  test.each(['*', 'a#b', 'a?', 'One', ''])('cluster %j would widen the pattern and is refused', (cluster) => {
    expect(() => agentClusterPolicy(scope, cluster)).toThrow(/is not an id/);
  });
});

describe('who may become an agent', () => {
  test("the session's role: the token function, with both tags and no other", () => {
    expect(agentSessionTrust(scope).Statement).toEqual([
      expect.objectContaining({
        Principal: { AWS: 'arn:aws:iam::123456789012:role/hawser-prod-eu-central-1-token' },
        Action: ['sts:AssumeRole', 'sts:TagSession'],
        Condition: {
          Null: { 'aws:RequestTag/organisation': 'false', 'aws:RequestTag/cluster': 'false' },
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['organisation', 'cluster'] },
        },
      }),
    ]);
  });

  test('IRSA: exactly one subject and one audience, compared as they are', () => {
    const issuer = 'oidc.eks.eu-central-1.amazonaws.com/id/0A';

    expect(irsaTrust(provider, workload).Statement).toEqual([
      expect.objectContaining({
        Principal: { Federated: provider },
        Action: ['sts:AssumeRoleWithWebIdentity'],
        Condition: {
          StringEquals: {
            [`${issuer}:sub`]: 'system:serviceaccount:hawser-system:hawser-agent',
            [`${issuer}:aud`]: 'sts.amazonaws.com',
          },
        },
      }),
    ]);
    expect(() => irsaTrust('https://oidc.example.com', workload)).toThrow(/no ARN of an OIDC provider/);
  });

  test('EKS Pod Identity: EKS for one ServiceAccount of one EKS cluster', () => {
    const [statement] = podIdentityTrust('123456789012', eksCluster, workload).Statement;

    expect(statement?.Principal).toEqual({ Service: 'pods.eks.amazonaws.com' });
    expect(statement?.Action).toEqual(['sts:AssumeRole', 'sts:TagSession']);
    expect(statement?.Condition).toMatchObject({
      StringEquals: {
        'aws:RequestTag/kubernetes-namespace': 'hawser-system',
        'aws:RequestTag/kubernetes-service-account': 'hawser-agent',
        'aws:SourceAccount': '123456789012',
      },
    });
  });

  test('EKS Pod Identity from another account: one role, with the external id of its association', () => {
    const [statement] = podIdentityTargetTrust('arn:aws:iam::210987654321:role/pods', 'eu-central-1/…').Statement;

    expect(statement?.Principal).toEqual({ AWS: 'arn:aws:iam::210987654321:role/pods' });
    expect(statement?.Condition).toEqual({ StringEquals: { 'sts:ExternalId': 'eu-central-1/…' } });
  });
});

describe('the stack AgentAccess', () => {
  const given: Record<string, string> = {
    environment: 'prod',
    region: 'eu-central-1',
    organisation: 'acme',
    account: '123456789012',
    cluster: 'one',
    cipherKeyArn,
    oidcProviderArn: provider,
  };
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-synth-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is one role, which cdk-nag has nothing to say about', () => {
    const app = createApp({ outdir: folder });
    const stack = buildAgentAccess(
      app,
      readAgentSettings((key) => given[key]),
    );
    app.synth();
    const template = Template.fromStack(stack);

    template.resourceCountIs('AWS::IAM::Role', 1);
    template.hasResourceProperties('AWS::IAM::Role', {
      RoleName: Match.stringLikeRegexp('^hawser-prod-eu-central-1-agent-[0-9a-f]{20}$'),
    });
  });

  test.each([
    [{ oidcProviderArn: undefined }, 'exactly one of'],
    [{ eksClusterArn: eksCluster }, 'exactly one of'],
    [{ oidcProviderArn: `${provider}*` }, 'is no ARN of iam'],
    [{ oidcProviderArn: undefined, sourceRoleArn: 'arn:aws:iam::210987654321:role/pods' }, 'go together'],
    [{ serviceAccount: '*' }, 'is no name of Kubernetes'],
    [{ cluster: '*' }, 'is no id'],
  ])('%o: %s', (more, message) => {
    const context: Record<string, string | undefined> = { ...given, ...more };

    expect(() => readAgentSettings((key) => context[key])).toThrow(message);
  });
});

function actionsOf(policy: PolicyDocument): string[] {
  const allowed = policy.Statement.filter(({ Effect }) => Effect === 'Allow');
  return [...new Set(allowed.flatMap(({ Action }) => Action))].toSorted();
}
