import { describe, expect, test } from 'vitest';
import { agentSessionPolicy as agentSessionPolicyText } from '#shared/adapters/aws/agent-session-policy.ts';
import { flow } from '#shared/flow.ts';
import { installCommand } from '#functions/api/install-command.ts';
import { readAgentSettings } from '#infra/aws/agent-access-stack.ts';
import { agentSessionPolicy } from '#infra/aws/agent-policies.ts';
import { functions, functionNamed } from '#infra/aws/functions.ts';
import { arnsOf } from '#infra/aws/names.ts';
import { functionPolicy, sendersTo, type PolicyScope, type Statement } from '#infra/aws/policies.ts';
import { decide } from '#test/kit/iam-evaluate.ts';

const scope: PolicyScope = {
  environment: 'prod',
  region: 'eu-central-1',
  organisation: 'acme',
  account: '123456789012',
  cipherKeyArn: 'CIPHER',
  rootKeyArn: 'ROOT',
};

/** What a stack `AgentAccess` must be told. */
const agentContext: Record<string, string> = {
  environment: 'prod',
  region: 'eu-central-1',
  organisation: 'acme',
  cluster: 'one',
  cipherKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/11111111-0000-4000-8000-000000000000',
  oidcProviderArn: 'arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/A',
};

const taking = ['sqs:ReceiveMessage', 'sqs:DeleteMessage'];

/** `T` stands for the tenant's partition, `wake-*` and queues for their ARNs; logs and traces are the same for all. */
const table: Record<string, string[]> = {
  webhook: [
    'dynamodb:GetItem on rows T#acme',
    'dynamodb:GetItem on rows T#acme#S',
    'dynamodb:PutItem on rows T#acme#D',
    'kms:Decrypt on CIPHER for T#acme#S',
    'sqs:SendMessage on hints',
  ],
  api: [
    ...reads('T#acme', 'T#acme#R#*', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#S', 'T#acme#P'),
    ...onRows(['PutItem', 'DeleteItem'], ['T#acme', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#S']),
    ...onRows(['BatchWriteItem'], ['T#acme#A#*', 'T#acme#C#*', 'T#acme#P']),
    ...onRows(['UpdateItem'], ['T#acme', 'T#acme#C#*', 'T#acme#P']),
    ...readsBodies('render-jobs', 'publish-jobs', 'reports', 'agent-mail'),
    ...writesBodies('reports', 'publish-jobs'),
    ...flow.flatMap(({ name }) => [
      `sqs:SendMessage on ${name}`,
      `sqs:GetQueueAttributes on ${name}`,
      `sqs:GetQueueAttributes on ${name}-dead`,
    ]),
    ...flow.flatMap(({ name }) =>
      ['sqs:ChangeMessageVisibility', ...taking].map((action) => `${action} on ${name}-dead`),
    ),
    'sqs:CreateQueue on wake-*',
    'sqs:DeleteQueue on wake-*',
    'sqs:SendMessage on wake-*',
    ...taking.map((action) => `${action} on wake-*`),
    ...['CreateSecret', 'PutSecretValue', 'DeleteSecret'].map(
      (verb) => `secretsmanager:${verb} on secret acme/repository/*`,
    ),
    ...['GenerateDataKey', 'Decrypt'].flatMap((verb) => [
      `kms:${verb} on CIPHER for T#acme#C#*#B`,
      `kms:${verb} on CIPHER for T#acme#S`,
    ]),
    'kms:GetPublicKey on ROOT',
  ],
  token: [
    'dynamodb:GetItem on rows T#acme',
    'dynamodb:PutItem on rows T#acme',
    'sts:AssumeRole on role agent-session',
    'sts:TagSession on role agent-session',
  ],
  plan: [
    ...reads('T#acme', 'T#acme#R#*', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#I#*'),
    ...onRows(['PutItem'], ['T#acme#R#*', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#I#*']),
    ...onRows(['UpdateItem'], ['T#acme', 'T#acme#I', 'T#acme#P']),
    ...onRows(['BatchWriteItem'], ['T#acme#I#*', 'T#acme#P']),
    ...onRows(['DeleteItem'], ['T#acme#R#*']),
    ...writesBodies('render-jobs', 'publish-jobs'),
    ...receives('hints'),
    ...['hints-dead', 'render-jobs', 'publish-jobs', 'hints'].map((queue) => `sqs:SendMessage on ${queue}`),
    'secretsmanager:GetSecretValue on secret acme/repository/*',
    'kms:GenerateDataKey on CIPHER for T#acme#I',
    'kms:Decrypt on CIPHER for T#acme#I',
  ],
  render: [
    ...onRows(['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'BatchWriteItem'], ['T#acme#I', 'T#acme#I#*']),
    ...readsBodies('render-jobs'),
    ...writesBodies('render-jobs', 'publish-jobs'),
    ...receives('render-jobs'),
    'sqs:SendMessage on render-jobs-dead',
    'sqs:SendMessage on publish-jobs',
    'kms:GenerateDataKey on CIPHER for T#acme#I',
    'kms:Decrypt on CIPHER for T#acme#I',
    'lambda:InvokeFunction on function render-sandbox',
  ],
  publish: [
    ...reads('T#acme', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#I#*', 'T#acme#S'),
    ...onRows(['PutItem'], ['T#acme', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#S']),
    ...onRows(['BatchWriteItem'], ['T#acme', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#P']),
    ...onRows(['UpdateItem'], ['T#acme', 'T#acme#C#*', 'T#acme#P']),
    ...readsBodies('publish-jobs'),
    ...writesBodies('publish-jobs'),
    ...receives('publish-jobs'),
    ...['publish-jobs-dead', 'hints', 'publish-jobs', 'wake-*'].map((queue) => `sqs:SendMessage on ${queue}`),
    'kms:GenerateDataKey on CIPHER for T#acme#C#*#B',
    'kms:GenerateDataKey on CIPHER for T#acme#S',
    'kms:Decrypt on CIPHER for T#acme#C#*#B',
    'kms:Decrypt on CIPHER for T#acme#I',
    'kms:Decrypt on CIPHER for T#acme#S',
    'kms:GetPublicKey on ROOT',
    'kms:Sign on ROOT',
  ],
  report: [
    ...reads('T#acme', 'T#acme#A#*', 'T#acme#C#*'),
    ...onRows(['PutItem', 'BatchWriteItem', 'DeleteItem'], ['T#acme', 'T#acme#A#*', 'T#acme#C#*']),
    ...onRows(['UpdateItem'], ['T#acme#C#*', 'T#acme#P']),
    ...onRows(['BatchWriteItem'], ['T#acme#P']),
    ...readsBodies('reports', 'agent-mail'),
    ...writesBodies('reports', 'agent-mail'),
    ...receives('reports'),
    ...receives('agent-mail'),
    ...['reports-dead', 'agent-mail-dead', 'hints', 'publish-jobs', 'wake-*'].map(
      (queue) => `sqs:SendMessage on ${queue}`,
    ),
    'kms:Decrypt on CIPHER for T#acme#C#*#B',
  ],
  sweep: [
    ...reads('T#acme', 'T#acme#R#*', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#I#*', 'T#acme#D'),
    ...onRows(['PutItem'], ['T#acme', 'T#acme#R#*']),
    ...onRows(['UpdateItem', 'BatchWriteItem'], ['T#acme#C#*', 'T#acme#I', 'T#acme#I#*', 'T#acme#P']),
    ...onRows(['DeleteItem'], ['T#acme', 'T#acme#A#*', 'T#acme#C#*', 'T#acme#I', 'T#acme#I#*', 'T#acme#D']),
    ...readsBodies('render-jobs', 'publish-jobs', 'reports'),
    ...['hints', 'render-jobs', 'publish-jobs', 'reports'].flatMap((name) => [
      `sqs:SendMessage on ${name}`,
      ...['sqs:ChangeMessageVisibility', ...taking].map((action) => `${action} on ${name}-dead`),
    ]),
  ],
  prepare: ['dynamodb:PutItem on rows T#acme'],
};

describe('who may what (reference §2.3)', () => {
  test.each(functions.filter(({ may }) => may.send !== undefined))(
    '$name sends to whom shared/flow.ts says',
    (spec) => {
      const said = flow.filter(({ from }) => (from as string[]).includes(spec.name)).map(({ name }) => name);
      // Who sends dead letters again may send to any queue.
      if (spec.may.deadLetters === undefined) expect([...(spec.may.send ?? [])].toSorted()).toEqual(said.toSorted());
      else expect(spec.may.send).toEqual(expect.arrayContaining(said));
    },
  );

  for (const spec of functions.filter(({ isSandbox }) => isSandbox !== true)) {
    test(`${spec.name} may exactly what the table says, and write its own log and traces`, () => {
      const allowed = functionPolicy(spec, scope).Statement.filter(({ Effect }) => Effect === 'Allow');

      const said = allowed.flatMap(inWords);

      const common = [
        `logs:CreateLogStream on log ${spec.name}`,
        `logs:PutLogEvents on log ${spec.name}`,
        'xray:PutTraceSegments on *',
        'xray:PutTelemetryRecords on *',
      ];
      expect(said.toSorted()).toEqual([...common, ...(table[spec.name] ?? ['nothing is said of it'])].toSorted());
    });
  }

  test('the sandbox: only what Lambda needs for the network, and everything denied to the code (INV-09, INV-35)', () => {
    const { Statement: statements } = functionPolicy(functionNamed('render-sandbox'), scope);

    const denied = statements.find(({ Effect }) => Effect === 'Deny');
    const allowed = statements.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action);

    expect(allowed.every((action) => /^ec2:\w+$/.test(action))).toBe(true);
    expect(allowed.some((action) => action.includes('logs:'))).toBe(false);
    expect(denied).toMatchObject({
      Action: ['*'],
      Resource: ['*'],
      Condition: {
        ArnEquals: {
          'lambda:SourceFunctionArn': 'arn:aws:lambda:eu-central-1:123456789012:function:hawser-prod-render-sandbox',
        },
      },
    });
  });

  test('only publish may sign, and only as day keys are certified', () => {
    const signing = functions.flatMap((spec) =>
      functionPolicy(spec, scope)
        .Statement.filter(({ Effect, Action }) => Effect === 'Allow' && Action.includes('kms:Sign'))
        .map((statement) => ({ name: spec.name, statement })),
    );

    expect(signing.map(({ name }) => name)).toEqual(['publish']);
    expect(signing[0]?.statement.Condition).toEqual({
      StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' },
    });
  });

  test('no allowed action holds a wildcard, and no credentials for Git are read by anybody but plan (NT-94)', () => {
    const allowed = functions.flatMap((spec) =>
      functionPolicy(spec, scope)
        .Statement.filter(({ Effect }) => Effect === 'Allow')
        .map((statement) => ({ name: spec.name, statement })),
    );

    const wild = allowed.filter(({ statement }) => statement.Action.some((action) => action.includes('*')));
    const reading = allowed.filter(
      ({ statement }) =>
        statement.Action.includes('secretsmanager:GetSecretValue') &&
        statement.Resource.some((resource) => resource.includes('/repository/')),
    );

    expect(wild).toEqual([]);
    expect(reading.map(({ name }) => name)).toEqual(['plan']);
  });

  test('whoever reaches the table is held by leading keys that must be there, and cannot scan or speak PartiQL', () => {
    for (const spec of functions.filter(({ may }) => may.table !== undefined)) {
      const { Statement: statements } = functionPolicy(spec, scope);

      const rows = statements.filter(({ Effect, Action }) => Effect === 'Allow' && isOfTable(Action));
      const denied = statements.filter(({ Effect }) => Effect === 'Deny').flatMap(({ Action }) => Action);

      expect(rows.length, spec.name).toBeGreaterThan(0);
      for (const { Condition: condition } of rows) {
        expect(condition?.['Null'], spec.name).toEqual({ 'dynamodb:LeadingKeys': 'false' });
        expect(condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'], spec.name).not.toContain('*');
      }
      expect(denied, spec.name).toEqual(expect.arrayContaining(['dynamodb:Scan', 'dynamodb:PartiQLSelect']));
    }
  });

  test('repositories in CodeCommit are read by plan, and only those that are named', () => {
    const repository = 'arn:aws:codecommit:eu-central-1:123456789012:deploy';

    const pulling = functions.flatMap((spec) =>
      functionPolicy(spec, { ...scope, codeCommit: [repository] })
        .Statement.filter(({ Action }) => Action.includes('codecommit:GitPull'))
        .map(({ Resource }) => [spec.name, Resource]),
    );

    expect(pulling).toEqual([['plan', [repository]]]);
  });

  test('agents use the key of table and queues through those services only, and only where there is one (NT-100)', () => {
    const dataKeyArn = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-4000-8000-000000000000';
    const arns = arnsOf(scope);
    const session = JSON.parse(
      agentSessionPolicyText(
        {
          tableArn: arns.table,
          wakeQueueArn: arns.wake('one'),
          mailQueueArn: arns.queue('agent-mail'),
          cipherKeyArn: scope.cipherKeyArn,
        },
        'acme',
        'one',
      ),
    ) as unknown;
    const ask = (action: string, context: Record<string, string>, resource = dataKeyArn) => {
      const tags = { 'aws:PrincipalTag/organisation': 'acme', 'aws:PrincipalTag/cluster': 'one' };
      const request = { action: `kms:${action}`, resource, context: { ...context, ...tags } };
      return [{ ...scope, dataKeyArn }, scope].map((place) =>
        decide({ role: [agentSessionPolicy(place)], session }, request),
      );
    };
    const via = (service: string) => ({ 'kms:ViaService': `${service}.eu-central-1.amazonaws.com` });

    expect(ask('Decrypt', via('dynamodb'))).toEqual(['allowed', 'implicitly denied']);
    expect(ask('GenerateDataKey', via('sqs'))).toEqual(['allowed', 'implicitly denied']);
    expect(ask('Decrypt', {})).toEqual(['implicitly denied', 'implicitly denied']);
    expect(ask('Decrypt', via('secretsmanager'))).toEqual(['implicitly denied', 'implicitly denied']);
    expect(ask('Encrypt', via('sqs'))).toEqual(['implicitly denied', 'implicitly denied']);
    expect(ask('Decrypt', via('dynamodb'), `${dataKeyArn}1`)).toEqual(['implicitly denied', 'implicitly denied']);
  });

  test('a role of an agent of its own is for the ServiceAccount that the install command makes', () => {
    const { namespace, serviceAccount } = readAgentSettings((key) => agentContext[key]);
    const command = installCommand({
      server: 'https://hawser.example',
      organisation: 'acme',
      cluster: 'one',
      rootKey: 'r',
      identity: 'irsa',
    });

    // The chart names it after the release.
    expect(command).toContain(`helm upgrade --install ${serviceAccount} `);
    expect(command).toContain(` --namespace ${namespace} `);
  });

  test('statements of one policy have different names, as IAM wants them', () => {
    for (const spec of functions) {
      const names = functionPolicy(spec, scope).Statement.map(({ Sid }) => Sid);
      expect(names, spec.name).toEqual([...new Set(names)]);
    }
  });

  test('policies fit into a role, with the longest names that there can be', () => {
    const longest: PolicyScope = {
      ...scope,
      environment: 'e'.repeat(20),
      region: 'ap-southeast-1',
      organisation: 'o'.repeat(63),
      cipherKeyArn: `arn:aws:kms:ap-southeast-1:123456789012:key/${'0'.repeat(36)}`,
      rootKeyArn: `arn:aws:kms:ap-southeast-1:123456789012:key/${'0'.repeat(36)}`,
    };

    const sizes = functions.map((spec) => [spec.name, JSON.stringify(functionPolicy(spec, longest)).length] as const);

    expect(sizes.filter(([, size]) => size > 10_240)).toEqual([]);
  });

  test('everybody whom the flow names as a sender may send, and receivers receive', () => {
    for (const queue of flow) {
      const stages = queue.from.filter((stage) => functions.some(({ name }) => name === stage));
      const receivers = functions.filter(({ trigger }) => trigger.queues?.some(({ name }) => name === queue.name));

      expect(sendersTo(queue.name), queue.name).toEqual(expect.arrayContaining(stages));
      expect(
        receivers.map(({ name }) => name),
        queue.name,
      ).toEqual([queue.to]);
    }
  });
});

function isOfTable(actions: readonly string[]): boolean {
  return actions.some((action) => action.startsWith('dynamodb:'));
}

/** A statement as the table writes it: one line for each action and what it is on. */
function inWords({ Action, Resource, Condition }: Statement): string[] {
  const keys = Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys'] as string[] | undefined;
  const contexts = (Condition?.['StringLike'] ?? Condition?.['StringEquals'])?.['kms:EncryptionContext:hawser:context'];
  const targets =
    keys?.map((key) => `rows ${key}`) ??
    Resource.flatMap((resource) =>
      contexts === undefined ? [shorten(resource)] : [contexts].flat().map((context) => `${resource} for ${context}`),
    );
  return Action.flatMap((action) => targets.map((target) => `${action} on ${target}`));
}

function shorten(arn: string): string {
  return arn
    .replace(/^arn:aws:sqs:eu-central-1:123456789012:hawser-prod-/, '')
    .replace(/^arn:aws:secretsmanager:eu-central-1:123456789012:secret:hawser-prod\//, 'secret ')
    .replace(/^arn:aws:logs:eu-central-1:123456789012:log-group:\/hawser\/prod\/([a-z-]+):\*$/, 'log $1')
    .replace(/^arn:aws:iam::123456789012:role\/hawser-prod-eu-central-1-/, 'role ')
    .replace(/^arn:aws:lambda:eu-central-1:123456789012:function:hawser-prod-/, 'function ');
}

function onRows(actions: string[], partitions: string[]): string[] {
  return actions.flatMap((action) => partitions.map((partition) => `dynamodb:${action} on rows ${partition}`));
}

function reads(...partitions: string[]): string[] {
  return onRows(['GetItem', 'BatchGetItem', 'Query'], partitions);
}

function readsBodies(...queues: string[]): string[] {
  return onRows(
    ['GetItem'],
    queues.map((queue) => `Q#${queue}#*`),
  );
}

function writesBodies(...queues: string[]): string[] {
  return onRows(
    ['GetItem', 'PutItem', 'UpdateItem'],
    queues.flatMap((queue) => [`Q#${queue}`, `Q#${queue}#*`]),
  );
}

function receives(queue: string): string[] {
  return [...taking, 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'].map((action) => `${action} on ${queue}`);
}
