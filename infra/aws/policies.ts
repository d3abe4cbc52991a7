import { flow } from '#shared/flow.ts';
import { functions, type FunctionSpec } from './functions.ts';
import type { Grants, KeyContext, TablePart } from './grants.ts';
import { arnsOf, type Arns, type Place } from './names.ts';

/** One statement as IAM takes it. */
export interface Statement {
  Sid: string;
  Effect: 'Allow' | 'Deny';
  Action: string[];
  Resource: string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

export interface PolicyDocument {
  Version: '2012-10-17';
  Statement: Statement[];
}

/** What policies are about: the place, and the two keys. Plain text or CloudFormation tokens. */
export interface PolicyScope extends Place {
  cipherKeyArn: string;
  rootKeyArn: string;
  /** Encrypts table and queues, where that is a key of the account (`encryption=customer`). */
  dataKeyArn?: string;
  /** ARNs of repositories in CodeCommit. */
  codeCommit?: readonly string[];
}

/**
 * What one function may do, as `functions.ts` says; everything that is not named is refused. No action holds a wildcard.
 * The sandbox has a policy of its own (`sandboxPolicy`).
 */
export function functionPolicy(spec: FunctionSpec, scope: PolicyScope): PolicyDocument {
  if (spec.isSandbox === true) return sandboxPolicy(spec, scope);
  const arns = arnsOf(scope);
  return policy([
    ...logStatements(spec, arns),
    ...tableStatements(spec, scope, arns),
    ...queueStatements(spec, arns),
    ...secretStatements(spec.may, arns),
    ...keyStatements(spec.may, scope),
    ...callStatements(spec.may, scope, arns),
  ]);
}

/**
 * The sandbox's role: what Lambda itself needs to attach it to the network that leads nowhere, and that denied to its code.
 * `lambda:SourceFunctionArn` is there in calls that the code makes, and not in those that Lambda makes with the role.
 */
export function sandboxPolicy(spec: FunctionSpec, scope: PolicyScope): PolicyDocument {
  const anything = '*';
  return policy([
    {
      Sid: 'AttachToNetwork',
      Effect: 'Allow',
      Action: [
        'ec2:CreateNetworkInterface',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeSubnets',
        'ec2:DeleteNetworkInterface',
        'ec2:AssignPrivateIpAddresses',
        'ec2:UnassignPrivateIpAddresses',
      ],
      Resource: [anything],
    },
    {
      Sid: 'NothingForTheCode',
      Effect: 'Deny',
      Action: [anything],
      Resource: [anything],
      Condition: { ArnEquals: { 'lambda:SourceFunctionArn': arnsOf(scope).function(spec.name) } },
    },
  ]);
}

/** Functions whose roles may send to a queue. */
export function sendersTo(queue: string): string[] {
  return functions.filter(({ may }) => may.send?.includes(queue)).map(({ name }) => name);
}

/** Functions whose roles may bury or look at dead letters of a queue. */
export function buriersOf(queue: string): string[] {
  return functions.filter((spec) => spec.trigger.queues?.some(({ name }) => name === queue)).map(({ name }) => name);
}

/**
 * Reading or writing rows whose partition is one of these. `ForAllValues` is true where the key is absent, hence the guard;
 * a scan, PartiQL and an export know no leading key, hence the refusal.
 */
export function rowsStatement(
  sid: string,
  table: string,
  actions: readonly string[],
  partitions: readonly string[],
  present: readonly string[] = [],
): Statement {
  const guarded = ['dynamodb:LeadingKeys', ...present];
  return {
    Sid: sid,
    Effect: 'Allow',
    Action: actions.map((action) => `dynamodb:${action}`),
    Resource: [table],
    Condition: {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...partitions] },
      Null: Object.fromEntries(guarded.map((key) => [key, 'false'])),
    },
  };
}

/** What would go past the leading keys. */
export function noWayAroundRows(table: string): Statement {
  return {
    Sid: 'NoWayAroundTheKeys',
    Effect: 'Deny',
    Action: [
      'dynamodb:Scan',
      'dynamodb:PartiQLSelect',
      'dynamodb:PartiQLInsert',
      'dynamodb:PartiQLUpdate',
      'dynamodb:PartiQLDelete',
      'dynamodb:ExportTableToPointInTime',
    ],
    Resource: [table, `${table}/*`],
  };
}

export function policy(statements: readonly Statement[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: [...statements] };
}

/** The encryption contexts under which data keys of such contents are wrapped (`hawser:context`, shared/state/keys.ts). */
export function contextsOf(organisation: string, kind: KeyContext): string {
  const tenant = `T#${organisation}`;
  return { snapshots: `${tenant}#C#*#B`, inputs: `${tenant}#I`, secrets: `${tenant}#S` }[kind];
}

/** Data keys of these contexts and no other: the call must name a context, and only this one. */
export function dataKeyStatement(sid: string, action: string, key: string, contexts: readonly string[]): Statement {
  return {
    Sid: sid,
    Effect: 'Allow',
    Action: [action],
    Resource: [key],
    Condition: {
      [contexts.some((context) => context.includes('*')) ? 'StringLike' : 'StringEquals']: {
        'kms:EncryptionContext:hawser:context': [...contexts],
      },
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['hawser:context'] },
    },
  };
}

function logStatements({ name }: FunctionSpec, arns: Arns): Statement[] {
  return [
    {
      Sid: 'OwnLog',
      Effect: 'Allow',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: [`${arns.logGroup(name)}:*`],
    },
    // X-Ray knows no resources for these.
    { Sid: 'Traces', Effect: 'Allow', Action: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], Resource: ['*'] },
  ];
}

function tableStatements(spec: FunctionSpec, { organisation }: PolicyScope, { table }: Arns): Statement[] {
  const grants = spec.may.table ?? [];
  if (grants.length === 0) return [];
  const rows = grants.map((grant) =>
    rowsStatement(
      `Rows${grant.actions.join('')}`,
      table,
      grant.actions,
      grant.parts.flatMap((part) => partitionsOf(part, organisation)),
    ),
  );
  return [...rows, ...bodyStatements(spec.may, table), noWayAroundRows(table)];
}

/** Bodies of messages (shared/adapters/aws/sqs-body.ts): chunks of one part each, listed in the partition of their queue. */
function bodyStatements({ bodies = { read: [], write: [] } }: Grants, table: string): Statement[] {
  const { read, write } = bodies;
  const chunks = read.map((queue) => `Q#${queue}#*`);
  const all = write.flatMap((queue) => [`Q#${queue}`, `Q#${queue}#*`]);
  return [
    ...(read.length === 0 ? [] : [rowsStatement('Bodies', table, ['GetItem'], chunks)]),
    ...(write.length === 0 ? [] : [rowsStatement('BodiesWrite', table, ['GetItem', 'PutItem', 'UpdateItem'], all)]),
  ];
}

/** Patterns for the partitions of one kind; `*` takes `#` too, so a cluster's pattern takes in its chunks. */
function partitionsOf(part: TablePart, organisation: string): string[] {
  const tenant = `T#${organisation}`;
  const patterns: Record<TablePart, string[]> = {
    organisation: [tenant],
    repositories: [`${tenant}#R#*`],
    applications: [`${tenant}#A#*`],
    clusters: [`${tenant}#C#*`],
    inputs: [`${tenant}#I`, `${tenant}#I#*`],
    'input-rows': [`${tenant}#I`],
    'input-chunks': [`${tenant}#I#*`],
    secrets: [`${tenant}#S`],
    pages: [`${tenant}#P`],
    marks: [`${tenant}#D`],
  };
  return patterns[part];
}

function queueStatements(spec: FunctionSpec, arns: Arns): Statement[] {
  const { may } = spec;
  const consumed = (spec.trigger.queues ?? []).map(({ name }) => name);
  const dead = may.deadLetters ?? [];
  const statements: [boolean, Statement][] = [
    // What Lambda does for the function, and how the function itself gives a message back.
    [
      consumed.length > 0,
      allow('Receive', [...taking, 'sqs:ChangeMessageVisibility', 'sqs:GetQueueAttributes'], consumed.map(arns.queue)),
    ],
    [consumed.length > 0, allow('Bury', ['sqs:SendMessage'], consumed.map(arns.dead))],
    [may.send !== undefined, allow('Send', ['sqs:SendMessage'], (may.send ?? []).map(arns.queue))],
    [
      may.countQueues === true,
      allow(
        'Count',
        ['sqs:GetQueueAttributes'],
        flow.flatMap(({ name }) => [arns.queue(name), arns.dead(name)]),
      ),
    ],
    [dead.length > 0, allow('DeadLetters', [...taking, 'sqs:ChangeMessageVisibility'], dead.map(arns.dead))],
    [may.wake === 'send', allow('Wake', ['sqs:SendMessage'], [arns.anyWake])],
    [
      may.wake === 'manage',
      allow('WakeQueues', ['sqs:CreateQueue', 'sqs:DeleteQueue', 'sqs:SendMessage', ...taking], [arns.anyWake]),
    ],
  ];
  return statements.flatMap(([isWanted, statement]) => (isWanted ? [statement] : []));
}

const taking = ['sqs:ReceiveMessage', 'sqs:DeleteMessage'];

function secretStatements({ secrets = [] }: Grants, arns: Arns): Statement[] {
  return secrets.map(({ actions, kinds }) =>
    allow(
      actions.includes('DeleteSecret') ? 'SecretsWrite' : 'Secrets',
      actions.map((action) => `secretsmanager:${action}`),
      kinds.map(arns.secrets),
    ),
  );
}

function keyStatements({ keys }: Grants, scope: PolicyScope): Statement[] {
  if (keys === undefined) return [];
  const contexts = (kinds: readonly KeyContext[]) => kinds.map((kind) => contextsOf(scope.organisation, kind));
  return [
    ...(keys.seal.length === 0
      ? []
      : [dataKeyStatement('Seal', 'kms:GenerateDataKey', scope.cipherKeyArn, contexts(keys.seal))]),
    dataKeyStatement('Open', 'kms:Decrypt', scope.cipherKeyArn, contexts(keys.open)),
    ...(keys.publicKey === true ? [allow('RootPublicKey', ['kms:GetPublicKey'], [scope.rootKeyArn])] : []),
    ...(keys.sign === true
      ? [
          {
            ...allow('Sign', ['kms:Sign'], [scope.rootKeyArn]),
            Condition: { StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' } },
          },
        ]
      : []),
  ];
}

function callStatements({ invoke, assumeAgent, pullCodeCommit }: Grants, scope: PolicyScope, arns: Arns): Statement[] {
  const repositories = pullCodeCommit === true ? (scope.codeCommit ?? []) : [];
  return [
    ...(repositories.length === 0 ? [] : [allow('Pull', ['codecommit:GitPull'], [...repositories])]),
    ...(invoke === undefined ? [] : [allow('Call', ['lambda:InvokeFunction'], [arns.function(invoke)])]),
    ...(assumeAgent === true
      ? [
          {
            ...allow('BecomeAgentSession', ['sts:AssumeRole', 'sts:TagSession'], [arns.role('agent-session')]),
            Condition: sessionTags,
          },
        ]
      : []),
  ];
}

/** A session has both tags and no other: without them its policy would have nothing to compare. */
export const sessionTags: NonNullable<Statement['Condition']> = {
  Null: { 'aws:RequestTag/organisation': 'false', 'aws:RequestTag/cluster': 'false' },
  'ForAllValues:StringEquals': { 'aws:TagKeys': ['organisation', 'cluster'] },
};

function allow(Sid: string, Action: string[], Resource: string[]): Statement {
  return { Sid, Effect: 'Allow', Action, Resource };
}
