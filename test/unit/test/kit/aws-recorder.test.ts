import { describe, expect, it } from 'vitest';
import { functions } from '#infra/aws/functions.ts';
import { functionPolicy, type PolicyScope } from '#infra/aws/policies.ts';
import { accessKeyOf } from '#localstack/aws/deployment.ts';
import type { AwsCall } from '#test/kit/aws-recorder.ts';
import { callerOf, iamRequestsOf } from '#test/kit/aws-recorder-iam.ts';
import { unusedRights } from '#test/kit/iam-coverage.ts';

const scope: PolicyScope = {
  environment: 'local',
  region: 'eu-central-1',
  organisation: 'acme',
  account: '000000000000',
  cipherKeyArn: 'CIPHER',
  rootKeyArn: 'ROOT',
};
const table = 'hawser-local-state';

function call(service: string, operation: string, input: object, more: Partial<AwsCall> = {}): AwsCall {
  const accessKeyId = accessKeyOf('plan');
  return { user: 'functions', accessKeyId, service, operation, input: input as AwsCall['input'], ...more };
}

const row = (partition: string) => ({ partition: { S: partition }, sort: { S: 'x' } });

describe('what IAM decides over, read off requests', () => {
  const query = {
    TableName: table,
    KeyConditionExpression: '#partition = :partition AND begins_with(#sort, :prefix)',
    ExpressionAttributeNames: { '#partition': 'partition', '#sort': 'sort' },
    ExpressionAttributeValues: { ':partition': { S: 'A' }, ':prefix': { S: 'x' } },
  };
  const many = [{ PutRequest: { Item: row('B') } }, { DeleteRequest: { Key: row('A') } }];
  it.each([
    ['dynamodb', 'GetItem', { TableName: table, Key: row('A') }, ['A']],
    ['dynamodb', 'PutItem', { TableName: table, Item: row('A') }, ['A']],
    ['dynamodb', 'Query', query, ['A']],
    ['dynamodb', 'BatchGetItem', { RequestItems: { [table]: { Keys: [row('B'), row('A')] } } }, ['A', 'B']],
    ['dynamodb', 'BatchWriteItem', { RequestItems: { [table]: many } }, ['A', 'B']],
  ])('%s %s: the partitions', (service, operation, input, partitions) => {
    const [request] = iamRequestsOf(call(service, operation, input), scope);

    expect(request).toMatchObject({
      action: `dynamodb:${operation}`,
      resource: `arn:aws:dynamodb:eu-central-1:000000000000:table/${table}`,
      context: { 'dynamodb:LeadingKeys': partitions },
    });
  });

  it.each([
    ['dynamodb', 'Scan', { TableName: table }],
    ['dynamodb', 'ExecuteStatement', { Statement: 'SELECT' }],
    ['dynamodb', 'GetItem', { TableName: 'another', Key: row('A') }],
    ['dynamodb', 'Query', { ...query, IndexName: 'index' }],
    ['dynamodb', 'Query', { ...query, KeyConditionExpression: '#sort = :partition' }],
    ['dynamodb', 'Query', { ...query, KeyConditionExpression: 'partition = :partition' }],
    ['sqs', 'PurgeQueue', { QueueUrl: 'http://h/0/hawser-local-hints' }],
    ['sqs', 'CreateQueue', { QueueName: 'q', tags: { a: 'b' } }],
    ['kms', 'Decrypt', { KeyId: 'another' }],
    ['kms', 'Encrypt', { KeyId: 'alias/hawser-local/cipher/acme' }],
    ['secretsmanager', 'ListSecrets', {}],
    ['sts', 'GetSessionToken', {}],
    ['lambda', 'Invoke', { FunctionName: 'another' }],
    ['s3', 'GetObject', {}],
  ])('%s %s of this kind is not understood, rather than guessed', (service, operation, input) => {
    expect(() => iamRequestsOf(call(service, operation, input), scope)).toThrow('what does');
  });

  it('a session with tags needs two rights, and shows them', () => {
    const input = { RoleArn: 'ROLE', 'Tags.member.1.Key': 'cluster', 'Tags.member.1.Value': 'one' };
    const context = { 'aws:TagKeys': ['cluster'], 'aws:RequestTag/cluster': 'one' };

    expect(iamRequestsOf(call('sts', 'AssumeRole', input), scope)).toMatchObject([
      { action: 'sts:AssumeRole', resource: 'ROLE', context },
      { action: 'sts:TagSession', resource: 'ROLE', context },
    ]);
  });

  it('whoever calls is known by the key; Lambda fetches messages in the name of who they are for', () => {
    const fetching = { QueueUrl: 'http://h/0/hawser-local-reports' };
    const lambda = { user: 'mappings', accessKeyId: 'test' } as const;
    const session = { roleArn: 'ROLE', name: 'n', tags: {}, policy: {} };

    expect(callerOf(call('sqs', 'SendMessage', {}), scope, new Map())).toEqual({ function: 'plan' });
    expect(callerOf(call('sqs', 'ReceiveMessage', fetching, lambda), scope, new Map())).toEqual({ function: 'report' });
    expect(callerOf(call('kms', 'Decrypt', {}, { accessKeyId: 'KEY' }), scope, new Map([['KEY', session]]))).toEqual({
      session,
    });
    expect(() => callerOf(call('kms', 'Decrypt', {}, { accessKeyId: 'KEY' }), scope, new Map())).toThrow(
      'nobody knows',
    );
  });
});

describe('rights that nobody needed', () => {
  it('are each action, resource and pattern of keys that no request matched', () => {
    const spec = functions.find(({ name }) => name === 'render');
    if (spec === undefined) throw new Error('there is no render');
    const policy = functionPolicy(spec, scope);
    const rows = { Statement: policy.Statement.filter(({ Sid }) => Sid.startsWith('RowsPutItem')) };
    const put = (partition: string) =>
      iamRequestsOf(call('dynamodb', 'PutItem', { TableName: table, Item: row(partition) }), scope);
    const sid = rows.Statement[0]?.Sid ?? '';

    expect(unusedRights(rows, put('T#acme#I'))).toEqual([
      `${sid} dynamodb:UpdateItem`,
      `${sid} dynamodb:BatchWriteItem`,
      `${sid} T#acme#I#*`,
    ]);
    // What the policy does not allow uses none of it.
    expect(unusedRights(rows, put('T#acme'))).toHaveLength(6);
  });
});
