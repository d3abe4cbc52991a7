import { Match } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import { findAssets } from '#infra/aws/assets.ts';
import { readSettings } from '#infra/aws/settings.ts';
import { everything, minimal, synthesise, type Synthesised } from './deployment.ts';

const settingsOf = (more: Record<string, string>) => readSettings((key) => ({ ...minimal, ...more })[key]);

describe('with every option', () => {
  let made: Synthesised;
  beforeAll(() => {
    made = synthesise(everything);
  }, 120_000);
  afterAll(() => made.remove());

  test('a key of the account encrypts table, queues and topic', () => {
    made.templates.state.hasResourceProperties('AWS::DynamoDB::Table', {
      SSESpecification: Match.objectLike({ SSEEnabled: true, SSEType: 'KMS' }),
    });
    const queues = Object.values(made.templates.compute.findResources('AWS::SQS::Queue'));
    expect(queues.filter(({ Properties }) => Properties['KmsMasterKeyId'] === undefined)).toEqual([]);
    made.templates.observability.hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
  });

  test('a WebACL stands before CloudFront, which keeps nothing and leads to the API', () => {
    made.templates.front!.hasResourceProperties('AWS::WAFv2::WebACL', { Scope: 'CLOUDFRONT' });
    made.templates.front!.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: Match.objectLike({ Aliases: ['hawser.example.com'], WebACLId: Match.anyValue() }),
    });
    expect(made.stacks.front?.region).toBe('us-east-1');
  });

  test('somebody hears of alarms', () => {
    made.templates.observability.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    });
  });
});

describe('settings', () => {
  test('have defaults for everything but where and whose', () => {
    const settings = settingsOf({});

    expect(settings).toEqual({
      ...minimal,
      encryption: 'aws',
      agents: 'direct',
      concurrency: 'reserved',
      accountConcurrency: 1000,
      logDays: 30,
      logLevel: 'info',
      privateAddresses: 'deny',
    });
  });

  test('name every problem at once, with what to do', () => {
    const failure = caught(() =>
      readSettings((key) => ({ region: 'Frankfurt', organisation: 'A*', logDays: '31' })[key]),
    );

    expect(failure.code).toBe('invalid-input');
    expect(failure.message).toContain('environment is missing');
    expect(failure.message).toContain('"Frankfurt": is no region');
    expect(failure.message).toContain('"A*": is no id');
    expect(failure.message).toContain('logDays "31"');
    expect(failure.hint).toContain('-c environment=prod');
  });

  test.each([
    [{ domain: 'hawser.example.com' }, 'certificateArn is needed'],
    [
      { domain: 'hawser.example.com', certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0a' },
      'must be of region eu-central-1',
    ],
    [{ ...everything, wafCertificateArn: '' }, 'wafCertificateArn is needed'],
    [{ zoneId: 'Z0123456789' }, 'go together'],
    [{ environment: 'a-b' }, 'is no name'],
    [{ codeCommit: 'arn:aws:codecommit:eu-central-1:123456789012:*' }, 'is no ARN of a repository'],
    [{ environment: 'a'.repeat(21) }, 'is no name'],
  ])('%o: %s', (more, message) => {
    expect(caught(() => settingsOf(more)).message).toContain(message);
  });

  test('an account that may run too little is told what to do before anything is deployed', () => {
    const failure = caught(() => synthesise({ ...minimal, accountConcurrency: '100' }));

    expect(failure.message).toContain('concurrent executions');
    expect(failure.hint).toContain('-c concurrency=unreserved');
  });

  test('bundles that are not built are named, with the command that builds them', () => {
    const failure = caught(() => findAssets('/nowhere'));

    expect(failure.message).toContain('webhook');
    expect(failure.hint).toContain('npm run build -- functions');
  });
});

function caught(work: () => unknown): HawserError {
  try {
    work();
  } catch (error) {
    if (error instanceof HawserError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
