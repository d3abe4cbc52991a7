import { Match } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableShape, timeToLiveAttribute } from '#shared/adapters/aws/create-table.ts';
import { flow } from '#shared/flow.ts';
import { functions, throttling } from '#infra/aws/functions.ts';
import { minimal, synthesise, type Synthesised } from './deployment.ts';

let made: Synthesised;
beforeAll(() => {
  made = synthesise(minimal);
}, 120_000);
afterAll(() => made.remove());

describe('state', () => {
  test('the table has the shape that emulators and tests use, backups, and stays whatever happens', () => {
    made.templates.state.hasResource('AWS::DynamoDB::Table', {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        ...tableShape,
        TableName: 'hawser-prod-state',
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        TimeToLiveSpecification: { AttributeName: timeToLiveAttribute, Enabled: true },
      },
    });
    expect(made.stacks.state.terminationProtection).toBe(true);
  });

  test('keys stay, and the root key is one for Ed25519 that refuses everybody but publish', () => {
    for (const key of Object.values(made.templates.state.findResources('AWS::KMS::Key'))) {
      expect(key['DeletionPolicy']).toBe('Retain');
      expect(key['UpdateReplacePolicy']).toBe('Retain');
    }
    made.templates.state.hasResourceProperties('AWS::KMS::Key', {
      KeySpec: 'ECC_NIST_EDWARDS25519',
      KeyPolicy: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Action: 'kms:Sign',
            Principal: { AWS: '*' },
            Condition: {
              ArnNotEquals: { 'aws:PrincipalArn': ['arn:aws:iam::123456789012:role/hawser-prod-eu-central-1-publish'] },
            },
          }),
        ]),
      },
    });
    made.templates.state.hasResourceProperties('AWS::KMS::Alias', { AliasName: 'alias/hawser-prod/root/acme' });
  });

  test('no stack removes what holds state or messages', () => {
    const holding = new Set(['AWS::DynamoDB::Table', 'AWS::KMS::Key', 'AWS::SQS::Queue']);
    const resources = made.all.flatMap(({ Resources }) => Object.values(Resources));

    const removed = resources.filter(
      (resource) => holding.has(resource.Type) && !String(Reflect.get(resource, 'DeletionPolicy')).startsWith('Retain'),
    );

    expect(removed).toEqual([]);
  });
});

describe('queues', () => {
  test.each(flow)('$name is there with its dead letters, TLS only, and hides messages long enough', (queue) => {
    const name = `hawser-prod-${queue.name}`;
    const receiver = functions.find(({ name: stage }) => stage === queue.to);
    const [live] = Object.values(
      made.templates.compute.findResources('AWS::SQS::Queue', { Properties: { QueueName: name } }),
    );

    made.templates.compute.hasResourceProperties('AWS::SQS::Queue', {
      QueueName: `${name}-dead`,
      MessageRetentionPeriod: 14 * 86_400,
      RedriveAllowPolicy: {
        redrivePermission: 'byQueue',
        sourceQueueArns: [`arn:aws:sqs:eu-central-1:123456789012:${name}`],
      },
    });
    expect(live?.['Properties']).toMatchObject({ RedrivePolicy: { maxReceiveCount: queue.maxReceives } });
    expect(live?.['Properties']['VisibilityTimeout']).toBeGreaterThanOrEqual(queue.visibilitySeconds);
    expect(live?.['Properties']['VisibilityTimeout']).toBeGreaterThanOrEqual(
      6 * (receiver?.timeoutSeconds ?? Infinity),
    );
  });

  test('every queue refuses plain HTTP, and senders that are not named', () => {
    const policies = Object.values(made.templates.compute.findResources('AWS::SQS::QueuePolicy'));

    expect(policies).toHaveLength(flow.length * 2);
    for (const { Properties: properties } of policies) {
      const statements = properties['PolicyDocument'].Statement as { Effect: string; Condition: object }[];
      expect(statements.every(({ Effect }) => Effect === 'Deny')).toBe(true);
      expect(statements).toContainEqual(
        expect.objectContaining({ Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      );
      expect(statements).toContainEqual(expect.objectContaining({ Sid: 'NobodyElseSends' }));
    }
  });
});

describe('functions', () => {
  test.each(functions)('$name runs as functions.ts says, under a role of its own', (spec) => {
    const isSandbox = spec.isSandbox === true;
    made.templates.compute.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: `hawser-prod-${spec.name}`,
      Runtime: 'nodejs24.x',
      MemorySize: spec.memoryMb,
      Timeout: spec.timeoutSeconds,
      Architectures: [isSandbox ? 'x86_64' : 'arm64'],
      ReservedConcurrentExecutions: spec.reserved,
      TracingConfig: isSandbox ? Match.absent() : { Mode: 'Active' },
    });
    made.templates.compute.hasResourceProperties('AWS::IAM::Role', {
      RoleName: `hawser-prod-eu-central-1-${spec.name}`,
      ManagedPolicyArns: Match.absent(),
    });
    made.templates.compute.hasResourceProperties('AWS::Logs::LogGroup', {
      LogGroupName: `/hawser/prod/${spec.name}`,
      RetentionInDays: 30,
    });
  });

  test('nobody gets a permission beside the one policy of its role', () => {
    made.templates.compute.resourceCountIs('AWS::IAM::Policy', 0);
    made.templates.compute.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
  });

  test('queues feed functions in batches of which a part may fail, no more at once than are reserved', () => {
    const mappings = Object.values(made.templates.compute.findResources('AWS::Lambda::EventSourceMapping'));

    expect(mappings).toHaveLength(flow.length);
    for (const { Properties: properties } of mappings) {
      expect(properties).toMatchObject({ FunctionResponseTypes: ['ReportBatchItemFailures'] });
    }
    for (const { trigger, reserved, name } of functions) {
      const most = (trigger.queues ?? []).reduce((sum, queue) => sum + queue.most, 0);
      expect(most, name).toBeLessThanOrEqual(reserved);
    }
  });

  test('the sandbox: its own environment for each tenant, no variable, no network (INV-09, INV-35, NT-66)', () => {
    const { compute } = made.templates;

    compute.hasResourceProperties('AWS::Lambda::Function', {
      FunctionName: 'hawser-prod-render-sandbox',
      TenancyConfig: { TenantIsolationMode: 'PER_TENANT' },
      Environment: Match.absent(),
      VpcConfig: Match.objectLike({ SubnetIds: Match.anyValue(), SecurityGroupIds: Match.anyValue() }),
    });
    compute.hasResourceProperties('AWS::EC2::VPC', { EnableDnsSupport: false, EnableDnsHostnames: false });
    compute.hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: Match.absent(),
      SecurityGroupEgress: [Match.objectLike({ CidrIp: '255.255.255.255/32' })],
    });
    for (const way of [
      'InternetGateway',
      'NatGateway',
      'VPCEndpoint',
      'Route',
      'NetworkAclEntry',
      'TransitGatewayAttachment',
    ]) {
      compute.resourceCountIs(`AWS::EC2::${way}`, 0);
    }
  });

  test('the sweep runs every minute, and is not tried again: the next one comes', () => {
    made.templates.compute.hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(1 minute)',
      Target: { RetryPolicy: { MaximumRetryAttempts: 0 } },
    });
  });

  test('functions find in their environment what functions.ts lists, and no secret', () => {
    for (const spec of functions.filter(({ isSandbox }) => isSandbox !== true)) {
      const [found] = Object.values(
        made.templates.compute.findResources('AWS::Lambda::Function', {
          Properties: { FunctionName: `hawser-prod-${spec.name}` },
        }),
      );
      const names = Object.keys(found?.['Properties'].Environment.Variables as object);

      const optional = new Set(['HAWSER_URL']);
      expect(names, spec.name).toEqual(expect.arrayContaining(spec.environment.filter((name) => !optional.has(name))));
      expect(
        names.filter((name) => !name.startsWith('HAWSER_')),
        spec.name,
      ).toEqual([]);
      expect(names.join(' ')).not.toMatch(/TOKEN|PASSWORD|SECRET(?!_PREFIX)/);
    }
  });
});

describe('edge', () => {
  test('routes of all functions, each with its limit (LIM-02)', () => {
    for (const route of functions.flatMap(({ trigger }) => trigger.routes ?? [])) {
      made.templates.edge.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: route });
    }
    made.templates.edge.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: throttling.others.rate },
      RouteSettings: {
        'POST /webhooks/{provider}/{repository}': { ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 2000 },
      },
    });
  });

  test('the access log holds no header, body or query (NT-93)', () => {
    const [stage] = Object.values(made.templates.edge.findResources('AWS::ApiGatewayV2::Stage'));

    const format = stage?.['Properties'].AccessLogSettings.Format as string;

    expect(JSON.parse(format)).toMatchObject({ status: '$context.status' });
    expect(format).not.toMatch(/header|body|querystring|authorizer/i);
  });
});

describe('alarms', () => {
  test.each(['01', '02', '03', '04', '05', '06', '07', '08'])('TGT-%s is watched', (target) => {
    made.templates.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp(`TGT-${target}`),
      AlarmActions: Match.anyValue(),
    });
  });

  test.each(flow)('one dead letter of $name raises an alarm', ({ name }) => {
    made.templates.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Dimensions: [{ Name: 'QueueName', Value: `hawser-prod-${name}-dead` }],
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: 1,
    });
  });

  test('errors and throttles of every function, and the age of every queue', () => {
    for (const { name } of functions) {
      for (const metric of ['Errors', 'Throttles']) {
        made.templates.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
          MetricName: metric,
          Dimensions: [{ Name: 'FunctionName', Value: `hawser-prod-${name}` }],
        });
      }
    }
    for (const { name } of flow) {
      made.templates.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
        MetricName: 'ApproximateAgeOfOldestMessage',
        Dimensions: [{ Name: 'QueueName', Value: `hawser-prod-${name}` }],
      });
    }
  });

  test('a signature that publish did not ask for is announced, also the refused attempt', () => {
    made.templates.observability.hasResourceProperties('AWS::Events::Rule', {
      State: 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS',
      EventPattern: Match.objectLike({ source: ['aws.kms'], detail: Match.objectLike({ eventName: ['Sign'] }) }),
    });
    made.templates.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Namespace: 'AWS/KMS',
      Dimensions: Match.arrayWith([{ Name: 'Operation', Value: 'Sign' }]),
    });
  });
});
