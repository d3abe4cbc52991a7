import { AssumeRoleCommand, type AssumeRoleCommandInput, type STSClient } from '@aws-sdk/client-sts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentClusterPolicy, agentSessionPolicy as agentRolePolicy } from '#infra/aws/agent-policies.ts';
import { arnsOf, namesOf, queueBase } from '#infra/aws/names.ts';
import { agentSessionPolicy } from '#shared/adapters/aws/agent-session-policy.ts';
import { createStsAgentAccess } from '#shared/adapters/aws/sts-agent-access.ts';
import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import { decide, type Decision, type IamRequest } from '#test/kit/iam-evaluate.ts';

const scope = {
  environment: 'prod',
  organisation: 'acme',
  region: 'eu-central-1',
  account: '123456789012',
  cipherKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/11111111-0000-4000-8000-000000000000',
  rootKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/22222222-0000-4000-8000-000000000000',
};
const arns = arnsOf(scope);
const base = queueBase(scope);
const role = agentRolePolicy(scope);

/** What the adapter asks STS for. */
async function asked(organisation: string, cluster: string, more: object = {}): Promise<AssumeRoleCommandInput> {
  const inputs: AssumeRoleCommandInput[] = [];
  const send = async (command: AssumeRoleCommand) => {
    inputs.push(command.input);
    const Expiration = new Date('2026-01-01T00:15:00Z');
    return { Credentials: { AccessKeyId: 'a', SecretAccessKey: 's', SessionToken: 't', Expiration } };
  };
  const access = createStsAgentAccess({
    client: { send } as unknown as STSClient,
    roleArn: arns.role('agent-session'),
    region: scope.region,
    table: namesOf(scope).table,
    cipherKey: scope.cipherKeyArn,
    queueBase: base,
    ...more,
  });
  await access.grant(organisation, cluster);
  const [input] = inputs;
  if (input === undefined) throw new Error('nothing was asked');
  return input;
}

/** A session of one cluster: what it may do, as role and session policy decide together; or one of the two alone. */
async function openSession(organisation: string, cluster: string) {
  const { Policy = '', Tags = [] } = await asked(organisation, cluster);
  const tags = Object.fromEntries(Tags.map(({ Key, Value }) => [`aws:PrincipalTag/${Key}`, Value ?? '']));
  const session: unknown = JSON.parse(Policy);
  const ask = (request: IamRequest): IamRequest => ({ ...request, context: { ...tags, ...request.context } });
  return {
    both: (request: IamRequest): Decision => decide({ role: [role], session }, ask(request)),
    byRole: (request: IamRequest): Decision => decide({ role: [role] }, ask(request)),
    bySession: (request: IamRequest): Decision => decide({ role: [session] }, ask(request)),
  };
}

function rows(action: string, ...partitions: string[]): IamRequest {
  return { action: `dynamodb:${action}`, resource: arns.table, context: { 'dynamodb:LeadingKeys': partitions } };
}

function decrypt(context: Record<string, string>, resource = scope.cipherKeyArn): IamRequest {
  const pairs = Object.entries(context).map(([key, value]) => [`kms:EncryptionContext:${key}`, value] as const);
  const keys = { 'kms:EncryptionContextKeys': Object.keys(context) };
  return { action: 'kms:Decrypt', resource, context: { ...Object.fromEntries(pairs), ...keys } };
}

const queue = (action: string, resource: string): IamRequest => ({ action: `sqs:${action}`, resource, context: {} });
const wakeOf = (organisation: string, cluster: string): string => arns.queue(wakeQueueName(organisation, cluster));

const own = 'T#acme#C#prod';
const digest = 'a'.repeat(64);

describe("an agent's session", () => {
  const allowed: [what: string, request: IamRequest][] = [
    ['reads HEAD', rows('GetItem', own)],
    ['queries changes', rows('Query', own)],
    ['reads rows in batches', rows('BatchGetItem', own, own)],
    ['reads its chunks', rows('GetItem', `${own}#B#${digest}`)],
    ['reads parts of chunks in batches', rows('BatchGetItem', `${own}#B#${digest}`)],
    ['opens its snapshots', decrypt({ 'hawser:context': `${own}#B` })],
    ['receives its commands', queue('ReceiveMessage', wakeOf('acme', 'prod'))],
    ['deletes its commands', queue('DeleteMessage', wakeOf('acme', 'prod'))],
    ['sends mail', queue('SendMessage', arns.queue('agent-mail'))],
  ];
  it.each(allowed)('%s', async (_what, request) => {
    expect((await openSession('acme', 'prod')).both(request)).toBe('allowed');
  });

  const foreign = [
    'T#acme',
    'T#acme#I',
    `T#acme#I#${digest}`,
    'T#acme#A#web',
    'T#acme#R#gitops',
    'T#acme#C#prod-2',
    'T#acme#C#pro',
    'T#acme#C#staging',
    `T#acme#C#staging#B#${digest}`,
    'T#acme#C#prod#B',
    'T#acme#C#prod#BX',
    'T#acme#C#prod#A',
    'T#rival#C#prod',
    'T#acme2#C#prod',
    'Q#reports',
    '',
  ];
  it.each(foreign)('reads nothing of %j, neither by role nor by session policy alone', async (partition) => {
    const session = await openSession('acme', 'prod');
    for (const action of ['GetItem', 'Query', 'BatchGetItem']) {
      expect(session.byRole(rows(action, partition))).toBe('implicitly denied');
      expect(session.bySession(rows(action, partition))).toBe('implicitly denied');
      // One foreign key among one's own is one too many.
      expect(session.both(rows(action, own, partition))).toBe('implicitly denied');
    }
  });

  it.each([
    'PutItem',
    'UpdateItem',
    'DeleteItem',
    'BatchWriteItem',
    'ConditionCheckItem',
    'DescribeTable',
    'DeleteTable',
    'UpdateTimeToLive',
    'CreateBackup',
    'GetRecords',
  ])('may not %s, not even its own rows', async (action) => {
    const session = await openSession('acme', 'prod');
    for (const decided of [session.byRole, session.bySession, session.both])
      expect(decided(rows(action, own))).toBe('implicitly denied');
  });

  it.each(['Scan', 'PartiQLSelect', 'PartiQLInsert', 'PartiQLUpdate', 'PartiQLDelete', 'ExportTableToPointInTime'])(
    'may not %s: denied by the role, with and without keys, on table and index',
    async (action) => {
      const session = await openSession('acme', 'prod');
      for (const resource of [arns.table, `${arns.table}/index/any`]) {
        for (const context of [{}, { 'dynamodb:LeadingKeys': [own] }]) {
          const request = { action: `dynamodb:${action}`, resource, context };
          expect(session.both(request)).toBe('explicitly denied');
          expect(session.bySession(request)).toBe('implicitly denied');
        }
      }
    },
  );

  it('reads nothing where a request has no leading key, though ForAllValues holds then', async () => {
    const session = await openSession('acme', 'prod');
    for (const context of [{}, { 'dynamodb:LeadingKeys': [] }]) {
      for (const action of ['GetItem', 'Query', 'BatchGetItem']) {
        const request = { action: `dynamodb:${action}`, resource: arns.table, context };
        expect([session.byRole(request), session.bySession(request)]).toEqual([
          'implicitly denied',
          'implicitly denied',
        ]);
      }
    }
  });

  it('reads no index and no other table', async () => {
    const session = await openSession('acme', 'prod');
    for (const resource of [
      `${arns.table}/index/any`,
      `${arns.table}2`,
      arns.table.replace('123456789012', '210987654321'),
    ])
      expect(session.both({ ...rows('Query', own), resource })).not.toBe('allowed');
  });

  it.each([
    [{ 'hawser:context': 'T#acme#C#staging#B' }],
    [{ 'hawser:context': 'T#rival#C#prod#B' }],
    [{ 'hawser:context': 'T#acme#I' }],
    [{ 'hawser:context': own }],
    [{ 'hawser:context': `${own}#B#x` }],
    [{ 'hawser:context': `${own}#B`, other: 'x' }],
    [{}],
  ])('opens nothing under the context %j', async (context) => {
    expect((await openSession('acme', 'prod')).both(decrypt(context as Record<string, string>))).toBe(
      'implicitly denied',
    );
  });

  it('uses no other key, and keys for nothing else', async () => {
    const session = await openSession('acme', 'prod');
    const context = { 'hawser:context': `${own}#B` };
    expect(session.both(decrypt(context, scope.rootKeyArn))).toBe('implicitly denied');
    for (const action of ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:ReEncryptFrom', 'kms:Sign', 'kms:CreateGrant'])
      expect(session.both({ ...decrypt(context), action })).toBe('implicitly denied');
  });

  it.each([
    queue('ReceiveMessage', wakeOf('acme', 'staging')),
    queue('DeleteMessage', wakeOf('acme', 'prod-2')),
    queue('ReceiveMessage', wakeOf('rival', 'prod')),
    queue('SendMessage', wakeOf('acme', 'prod')),
    queue('SendMessage', wakeOf('acme', 'staging')),
    queue('PurgeQueue', wakeOf('acme', 'prod')),
    queue('DeleteQueue', wakeOf('acme', 'prod')),
    queue('SetQueueAttributes', wakeOf('acme', 'prod')),
    queue('ReceiveMessage', arns.queue('agent-mail')),
    queue('DeleteMessage', arns.queue('agent-mail')),
    queue('SendMessage', arns.queue('reports')),
    queue('SendMessage', arns.queue('hints')),
    queue('SendMessage', arns.dead('agent-mail')),
  ])('may not %j', async (request) => {
    expect((await openSession('acme', 'prod')).both(request)).toBe('implicitly denied');
  });

  it.each([
    'sts:AssumeRole',
    'sts:TagSession',
    'iam:PassRole',
    'secretsmanager:GetSecretValue',
    'lambda:InvokeFunction',
  ])('may not %s', async (action) => {
    expect((await openSession('acme', 'prod')).both({ action, resource: '*', context: {} })).toBe('implicitly denied');
  });

  it('of any cluster reads what is its own and nothing of any other', async () => {
    const id = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
    await fc.assert(
      fc.asyncProperty(id, id, id, id, fc.constantFrom('', `#B#${digest}`), async (o, c, o2, c2, rest) => {
        const session = await openSession(o, c);
        expect(session.both(rows('GetItem', `T#${o}#C#${c}${rest}`))).toBe('allowed');
        fc.pre(o !== o2 || c !== c2);
        const other = `T#${o2}#C#${c2}`;
        for (const decided of [session.byRole, session.bySession]) {
          expect(decided(rows('GetItem', `${other}${rest}`))).toBe('implicitly denied');
          expect(decided(decrypt({ 'hawser:context': `${other}#B` }))).toBe('implicitly denied');
        }
        expect(session.both(queue('ReceiveMessage', wakeOf(o2, c2)))).toBe('implicitly denied');
      }),
      { numRuns: 60 },
    );
  });
});

describe('the role alone', () => {
  it('gives nothing to a session that lacks a tag, or both', () => {
    const tags = { 'aws:PrincipalTag/organisation': 'acme', 'aws:PrincipalTag/cluster': 'prod' };
    for (const context of [{}, { 'aws:PrincipalTag/organisation': 'acme' }, { 'aws:PrincipalTag/cluster': 'prod' }]) {
      const request = rows('GetItem', own, 'T##C#', 'T#acme#C#', 'T#*');
      expect(decide({ role: [role] }, { ...request, context: { ...request.context, ...context } })).toBe(
        'implicitly denied',
      );
      const chunk = decrypt({ 'hawser:context': 'T#acme#C##B' });
      expect(decide({ role: [role] }, { ...chunk, context: { ...chunk.context, ...context } })).toBe(
        'implicitly denied',
      );
    }
    const request = rows('GetItem', own);
    expect(decide({ role: [role] }, { ...request, context: { ...request.context, ...tags } })).toBe('allowed');
  });

  it('would be opened by a tag with a wildcard, which is why ids have none', async () => {
    const tags = { 'aws:PrincipalTag/organisation': 'acme', 'aws:PrincipalTag/cluster': '*' };
    const request = rows('GetItem', 'T#acme#C#staging');
    expect(decide({ role: [role] }, { ...request, context: { ...request.context, ...tags } })).toBe('allowed');
    for (const bad of ['*', 'prod*', '?', 'prod#B', '${aws:PrincipalTag/x}', 'Prod', '', 'a'.repeat(64)]) {
      await expect(asked('acme', bad)).rejects.toMatchObject({ code: 'invalid-input' });
      await expect(asked(bad, 'prod')).rejects.toMatchObject({ code: 'invalid-input' });
    }
  });

  it('of one cluster under IRSA or Pod Identity reads the same and no more', () => {
    const policy = agentClusterPolicy(scope, 'prod');
    const decided = (request: IamRequest): Decision => decide({ role: [policy] }, request);
    expect(decided(rows('GetItem', own, `${own}#B#${digest}`))).toBe('allowed');
    expect(decided(queue('ReceiveMessage', wakeOf('acme', 'prod')))).toBe('allowed');
    expect(decided(queue('ReceiveMessage', wakeOf('acme', 'staging')))).toBe('implicitly denied');
    expect(decided(rows('GetItem', 'T#acme#C#prod-2'))).toBe('implicitly denied');
    expect(decided(rows('PutItem', own))).toBe('implicitly denied');
    expect(decided(rows('Scan'))).toBe('explicitly denied');
    expect(decided(decrypt({ 'hawser:context': 'T#acme#C#staging#B' }))).toBe('implicitly denied');
  });
});

describe('what STS is asked for', () => {
  it('is a session that is named and tagged after the cluster, for a quarter of an hour', async () => {
    expect(await asked('acme', 'prod')).toMatchObject({
      RoleArn: arns.role('agent-session'),
      RoleSessionName: wakeQueueName('acme', 'prod').slice('wake-'.length),
      DurationSeconds: 900,
      Tags: [
        { Key: 'organisation', Value: 'acme' },
        { Key: 'cluster', Value: 'prod' },
      ],
    });
  });

  it('fits, with the longest names that there are', () => {
    const long = 'x'.repeat(63);
    const table = `arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/hawser-${'e'.repeat(32)}-state`;
    const queueArn = `arn:aws-us-gov:sqs:us-gov-west-1:123456789012:${'q'.repeat(80)}`;
    const cipherKeyArn = `arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-${'0'.repeat(32)}`;
    const resources = { tableArn: table, wakeQueueArn: queueArn, mailQueueArn: queueArn, cipherKeyArn };
    expect(agentSessionPolicy(resources, long, long).length).toBeLessThanOrEqual(2048);
    const tooLong = { ...resources, tableArn: `${table}${'t'.repeat(600)}` };
    expect(() => agentSessionPolicy(tooLong, long, long)).toThrow(/STS takes 2048/);
  });

  it('names the key for an id, and leaves it to the role for an alias', async () => {
    const keyOf = async (cipherKey: string) => {
      const { Policy = '' } = await asked('acme', 'prod', { cipherKey });
      return (JSON.parse(Policy) as { Statement: { Action: unknown; Resource: string }[] }).Statement.find(
        ({ Action }) => Action === 'kms:Decrypt',
      )?.Resource;
    };
    expect(await keyOf(scope.cipherKeyArn)).toBe(scope.cipherKeyArn);
    expect(await keyOf('1234')).toBe('arn:aws:kms:eu-central-1:123456789012:key/1234');
    expect(await keyOf('alias/hawser')).toBe('arn:aws:kms:eu-central-1:123456789012:key/*');
  });
});
