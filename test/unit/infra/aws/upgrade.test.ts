import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { minimal, synthesise, type Synthesised } from './deployment.ts';

/**
 * What a deployment that exists holds under these logical ids and names: state, addresses, and who is subscribed. A change of
 * one of them replaces the resource with the next `deploy:aws`: what it holds is lost or left behind, and addresses that were
 * handed out are true no more. So this list only grows.
 */
const lasting: Record<string, string> = {
  'State/TableCD117FA1': 'AWS::DynamoDB::Table hawser-prod-state',
  'Compute/DeadAgentMail4BAF4EE0': 'AWS::SQS::Queue hawser-prod-agent-mail-dead',
  'Compute/DeadHints339972D8': 'AWS::SQS::Queue hawser-prod-hints-dead',
  'Compute/DeadPublishJobsB288001C': 'AWS::SQS::Queue hawser-prod-publish-jobs-dead',
  'Compute/DeadRenderJobsED176684': 'AWS::SQS::Queue hawser-prod-render-jobs-dead',
  'Compute/DeadReportsAE8880AA': 'AWS::SQS::Queue hawser-prod-reports-dead',
  'Compute/QueueAgentMail62F4FE9E': 'AWS::SQS::Queue hawser-prod-agent-mail',
  'Compute/QueueHints806AEF1B': 'AWS::SQS::Queue hawser-prod-hints',
  'Compute/QueuePublishJobs2DE56F66': 'AWS::SQS::Queue hawser-prod-publish-jobs',
  'Compute/QueueRenderJobs8CC8655F': 'AWS::SQS::Queue hawser-prod-render-jobs',
  'Compute/QueueReportsECCFC6B0': 'AWS::SQS::Queue hawser-prod-reports',
  'Edge/ApiF70053CD': 'AWS::ApiGatewayV2::Api hawser-prod',
  'Observability/Alarms04B5A0BF': 'AWS::SNS::Topic hawser-prod-alarms',
  'State/CipherKey6CCC307F': 'AWS::KMS::Key',
  'State/CipherKeyAlias78D863C8': 'AWS::KMS::Alias alias/hawser-prod/cipher/acme',
  'State/RootKeyAliasD3DF4037': 'AWS::KMS::Alias alias/hawser-prod/root/acme',
  'State/RootKeyEC9149F6': 'AWS::KMS::Key',
};

describe('an upgrade', () => {
  let made: Synthesised;
  beforeAll(() => {
    made = synthesise(minimal);
  }, 120_000);
  afterAll(() => made.remove());

  test('finds everything that lasts where it was', () => {
    const kinds = /^AWS::(DynamoDB::Table|KMS::(Key|Alias)|SQS::Queue|SNS::Topic|ApiGatewayV2::Api)$/;
    const found = made.artifacts.flatMap(({ id }, index) =>
      Object.entries(made.all[index]?.Resources ?? {})
        .filter(([, { Type }]) => kinds.test(Type))
        .map(([logicalId, { Type, Properties: given = {} }]) => {
          const name =
            given['TableName'] ?? given['AliasName'] ?? given['QueueName'] ?? given['TopicName'] ?? given['Name'];
          return [`${id}/${logicalId}`, [Type, name].filter((part) => part !== undefined).join(' ')] as const;
        }),
    );

    expect(Object.fromEntries(found)).toEqual(lasting);
  });

  test('finds the roles that other accounts and the keys’ policies name', () => {
    const names = made.all.flatMap(({ Resources }) =>
      Object.values(Resources).flatMap(({ Type, Properties }) =>
        Type === 'AWS::IAM::Role' ? [Properties?.['RoleName']] : [],
      ),
    );

    expect(names).toEqual(
      expect.arrayContaining(['publish', 'token', 'agent-session'].map((name) => `hawser-prod-eu-central-1-${name}`)),
    );
  });
});
