import { accessKeyOf, credentials } from '#localstack/aws/deployment.ts';
import { functions } from '#infra/aws/functions.ts';
import { arnsOf, namesOf } from '#infra/aws/names.ts';
import type { PolicyScope } from '#infra/aws/policies.ts';
import { tagsOf, type AwsCall, type AwsSession } from './aws-recorder.ts';
import type { IamRequest } from './iam-evaluate.ts';

/** Whose policies decide over a call. */
export type Caller = { function: string } | { session: AwsSession };

/**
 * Who calls: a function by its own key, an agent by the key of its session, and Lambda, which fetches messages with the role
 * of the function that they are for. Throws for anybody else.
 */
export function callerOf(call: AwsCall, scope: PolicyScope, sessions: ReadonlyMap<string, AwsSession>): Caller {
  const own = functions.find(({ name }) => accessKeyOf(name) === call.accessKeyId);
  if (own !== undefined) return { function: own.name };
  const session = sessions.get(call.accessKeyId);
  if (session !== undefined) return { session };
  const fed = functions.find(({ trigger }) =>
    trigger.queues?.some(({ name }) => namesOf(scope).queue(name) === lastPart(call.input['QueueUrl'])),
  );
  if (call.user === 'mappings' && call.accessKeyId === credentials.accessKeyId && fed !== undefined)
    return { function: fed.name };
  throw new Error(`nobody knows who calls ${call.service}:${call.operation} with the key ${call.accessKeyId}`);
}

/**
 * What IAM would decide over, with the names that infra gives: action, resource and the condition keys that the service
 * sets (Service Authorization Reference of each). Throws for an operation, or a form of one, that it does not know.
 */
export function iamRequestsOf(call: AwsCall, scope: PolicyScope): IamRequest[] {
  const translate = translators[call.service];
  if (translate === undefined) throw unknown(call);
  return translate(call, scope).map((request) => ({
    ...request,
    context: { ...request.context, 'aws:SecureTransport': 'true' },
  }));
}

type Json = Record<string, unknown>;
type Translator = (call: AwsCall, scope: PolicyScope) => IamRequest[];

const translators: Record<string, Translator> = {
  dynamodb: ofTable,
  sqs: ofQueues,
  kms: ofKeys,
  secretsmanager: ofSecrets,
  sts: ofSessions,
  lambda(call, scope) {
    const name = String(call.input['FunctionName']).split(':').at(-1) ?? '';
    const found = functions.find((spec) => namesOf(scope).function(spec.name) === name);
    if (call.operation !== 'Invoke' || found === undefined) throw unknown(call);
    return [{ action: 'lambda:InvokeFunction', resource: arnsOf(scope).function(found.name), context: {} }];
  },
};

function ofTable(call: AwsCall, scope: PolicyScope): IamRequest[] {
  const { operation, input } = call;
  if (operation.startsWith('Batch')) {
    const [[table, wanted] = ['', undefined], ...more] = Object.entries((input['RequestItems'] ?? {}) as Json);
    if (more.length > 0 || table !== namesOf(scope).table) throw unknown(call);
    const keys =
      operation === 'BatchGetItem'
        ? (wanted as { Keys: Json[] }).Keys
        : (wanted as { PutRequest?: { Item: Json }; DeleteRequest?: { Key: Json } }[]).map(
            ({ PutRequest: put, DeleteRequest: removal }) => put?.Item ?? removal?.Key ?? {},
          );
    return [onRows(call, scope, keys.map(partitionIn))];
  }
  if (input['TableName'] !== namesOf(scope).table || input['IndexName'] !== undefined) throw unknown(call);
  switch (operation) {
    case 'GetItem':
    case 'UpdateItem':
    case 'DeleteItem':
      return [onRows(call, scope, [partitionIn(input['Key'])])];
    case 'PutItem':
      return [onRows(call, scope, [partitionIn(input['Item'])])];
    case 'Query':
      return [onRows(call, scope, [queriedPartition(call)])];
    default:
      throw unknown(call);
  }
}

function onRows(call: AwsCall, scope: PolicyScope, partitions: string[]): IamRequest {
  return {
    action: `dynamodb:${call.operation}`,
    resource: arnsOf(scope).table,
    context: { 'dynamodb:LeadingKeys': [...new Set(partitions)].toSorted() },
  };
}

function partitionIn(key: unknown): string {
  const partition = (key as { partition?: { S?: unknown } } | undefined)?.partition?.S;
  if (typeof partition !== 'string') throw new Error(`a key without a partition: ${JSON.stringify(key)}`);
  return partition;
}

/** `#name = :value` and whatever narrows it further. */
function queriedPartition(call: AwsCall): string {
  const { input } = call;
  const [, name = '', value = ''] = /^(#\w+) = (:\w+)(?: AND .*)?$/.exec(String(input['KeyConditionExpression'])) ?? [];
  const names = (input['ExpressionAttributeNames'] ?? {}) as Record<string, string>;
  const values = (input['ExpressionAttributeValues'] ?? {}) as Record<string, { S?: string }>;
  const partition = values[value]?.S;
  if (names[name] !== 'partition' || partition === undefined) throw unknown(call);
  return partition;
}

/** Actions of SQS by operation: batches are asked for like single messages. */
const queueActions: Record<string, string> = {
  SendMessage: 'SendMessage',
  SendMessageBatch: 'SendMessage',
  ReceiveMessage: 'ReceiveMessage',
  DeleteMessage: 'DeleteMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibility: 'ChangeMessageVisibility',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
  GetQueueAttributes: 'GetQueueAttributes',
  CreateQueue: 'CreateQueue',
  DeleteQueue: 'DeleteQueue',
};

function ofQueues(call: AwsCall, scope: PolicyScope): IamRequest[] {
  const { operation, input } = call;
  const action = queueActions[operation];
  const name = operation === 'CreateQueue' ? String(input['QueueName']) : lastPart(input['QueueUrl']);
  // Tags are asked for by an action of their own.
  if (action === undefined || name === '' || input['tags'] !== undefined) throw unknown(call);
  const resource = `arn:${arnsOf(scope).partition}:sqs:${scope.region}:${scope.account}:${name}`;
  return [{ action: `sqs:${action}`, resource, context: {} }];
}

function ofKeys(call: AwsCall, scope: PolicyScope): IamRequest[] {
  const { operation, input } = call;
  const names = namesOf(scope);
  const resource = { [names.cipherAlias]: scope.cipherKeyArn, [names.rootAlias]: scope.rootKeyArn }[
    String(input['KeyId'])
  ];
  if (resource === undefined || input['GrantTokens'] !== undefined) throw unknown(call);
  const encryption = Object.entries((input['EncryptionContext'] ?? {}) as Record<string, string>);
  const contexts: Record<string, IamRequest['context']> = {
    GenerateDataKey: contextOf(encryption),
    Decrypt: contextOf(encryption),
    GetPublicKey: {},
    Sign: {
      'kms:SigningAlgorithm': String(input['SigningAlgorithm']),
      'kms:MessageType': String(input['MessageType'] ?? 'RAW'),
    },
  };
  const context = contexts[operation];
  if (context === undefined) throw unknown(call);
  return [{ action: `kms:${operation}`, resource, context }];
}

function contextOf(encryption: readonly (readonly [string, string])[]): IamRequest['context'] {
  return {
    'kms:EncryptionContextKeys': encryption.map(([key]) => key),
    ...Object.fromEntries(encryption.map(([key, value]) => [`kms:EncryptionContext:${key}`, value])),
  };
}

function ofSecrets(call: AwsCall, scope: PolicyScope): IamRequest[] {
  const { operation, input } = call;
  const name = String(input['Name'] ?? input['SecretId']);
  // A key of one's own, tags and replicas are asked for by actions of their own.
  const isPlain = ['KmsKeyId', 'Tags', 'AddReplicaRegions'].every((member) => input[member] === undefined);
  if (!['CreateSecret', 'PutSecretValue', 'DeleteSecret', 'GetSecretValue'].includes(operation) || !isPlain)
    throw unknown(call);
  // Secrets Manager puts six random signs behind each name.
  const resource = `arn:${arnsOf(scope).partition}:secretsmanager:${scope.region}:${scope.account}:secret:${name}-a1b2c3`;
  return [{ action: `secretsmanager:${operation}`, resource, context: {} }];
}

function ofSessions(call: AwsCall): IamRequest[] {
  const { operation, input } = call;
  if (operation !== 'AssumeRole') throw unknown(call);
  const tags = Object.entries(tagsOf(input));
  const context = {
    'aws:TagKeys': tags.map(([key]) => key),
    ...Object.fromEntries(tags.map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
  const resource = String(input['RoleArn']);
  return ['sts:AssumeRole', ...(tags.length > 0 ? ['sts:TagSession'] : [])].map((action) => ({
    action,
    resource,
    context,
  }));
}

function lastPart(url: unknown): string {
  return String(url ?? '')
    .split('/')
    .at(-1) as string;
}

function unknown({ service, operation, input }: AwsCall): Error {
  return new Error(`what does ${service}:${operation} need? ${JSON.stringify(input).slice(0, 300)}`);
}
