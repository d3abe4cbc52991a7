import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import {
  AnyPrincipal,
  AccountRootPrincipal,
  Effect,
  PolicyDocument,
  PolicyStatement,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { Key, KeySpec, KeyUsage, type IKey } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { viaServices } from '#shared/adapters/aws/agent-session-policy.ts';
import { tableShape, timeToLiveAttribute } from '#shared/adapters/aws/create-table.ts';
import { arnsOf, namesOf, type Arns } from './names.ts';
import type { DeploymentSettings } from './settings.ts';
import { functions } from './functions.ts';

/** What the other stacks need of the state. */
export interface StateParts {
  rootKey: Key;
  cipherKey: Key;
  /** Encrypts queues and topic; absent where AWS-owned keys do. */
  dataKey?: IKey;
}

/**
 * What must outlive every other stack: the table, the organisation's root key and the key that wraps data keys.
 * Nothing here is ever deleted by CloudFormation: removed stacks leave it behind, and a replacement is refused.
 */
export class StateStack extends Stack {
  readonly parts: StateParts;

  constructor(scope: Construct, id: string, props: StackProps & { settings: DeploymentSettings }) {
    super(scope, id, { ...props, terminationProtection: true });
    const { settings } = props;
    const names = namesOf(settings);
    const arns = arnsOf({ ...settings, account: this.account });
    const rootKey = createRootKey(this, settings, arns);
    const cipherKey = createCipherKey(this, settings);
    const dataKey = settings.encryption === 'customer' ? dataKeyOf(this, settings, arns) : undefined;
    createTable(this, names.table, dataKey);
    this.parts = { rootKey, cipherKey, ...(dataKey === undefined ? {} : { dataKey }) };
    new CfnOutput(this, 'TableName', { value: names.table });
    new CfnOutput(this, 'CipherKeyArn', { value: cipherKey.keyArn });
    new CfnOutput(this, 'RootKeyArn', { value: rootKey.keyArn });
    if (dataKey !== undefined) new CfnOutput(this, 'DataKeyArn', { value: dataKey.keyArn });
  }
}

/** Its shape is that of `create-table.ts`, which emulators and tests use. */
function createTable(stack: Stack, tableName: string, dataKey: IKey | undefined): Table {
  const [partition, sort] = tableShape.KeySchema;
  return new Table(stack, 'Table', {
    tableName,
    partitionKey: { name: partition.AttributeName, type: AttributeType.STRING },
    sortKey: { name: sort.AttributeName, type: AttributeType.STRING },
    billingMode: BillingMode[tableShape.BillingMode],
    timeToLiveAttribute,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 35 },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
    ...(dataKey === undefined
      ? { encryption: TableEncryption.DEFAULT }
      : { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: dataKey }),
  });
}

/**
 * The organisation's root key (Ed25519): it certifies day keys, and agents pin its public half, so it is never rotated.
 * Whoever is not a function that `functions.ts` lets sign is refused by the key itself, whatever other policies say.
 */
function createRootKey(stack: Stack, settings: DeploymentSettings, arns: Arns): Key {
  const key = new Key(stack, 'RootKey', {
    alias: namesOf(settings).rootAlias,
    description: `Hawser: root key of organisation ${settings.organisation}`,
    keySpec: KeySpec.ECC_NIST_EDWARDS25519,
    keyUsage: KeyUsage.SIGN_VERIFY,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'OnlyPublishSigns',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['kms:Sign'],
      resources: ['*'],
      conditions: {
        ArnNotEquals: { 'aws:PrincipalArn': signers().map((name) => arns.role(name)) },
      },
    }),
  );
  return key;
}

/** Wraps data keys, always under a context that names whose they are: without one it does nothing. */
function createCipherKey(stack: Stack, settings: DeploymentSettings): Key {
  const key = new Key(stack, 'CipherKey', {
    alias: namesOf(settings).cipherAlias,
    description: `Hawser: wraps the keys that encrypt snapshots and inputs of ${settings.organisation}`,
    enableKeyRotation: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  key.addToResourcePolicy(
    new PolicyStatement({
      sid: 'NothingWithoutContext',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: [
        'kms:Encrypt',
        'kms:Decrypt',
        'kms:GenerateDataKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:ReEncryptFrom',
      ],
      resources: ['*'],
      conditions: { Null: { 'kms:EncryptionContext:hawser:context': 'true' } },
    }),
  );
  return key;
}

/** A key that is there already has a policy of its own, which must hold the statements of `createDataKey`. */
function dataKeyOf(stack: Stack, { dataKeyArn }: DeploymentSettings, arns: Arns): IKey {
  return dataKeyArn === undefined ? createDataKey(stack, arns) : Key.fromKeyArn(stack, 'DataKey', dataKeyArn);
}

/**
 * Encrypts table, queues and topic with a key of this account. Roles of this deployment use it through those services only,
 * so the functions' own policies need not name it; agents' sessions are held by what their role and session policy name.
 */
function createDataKey(stack: Stack, arns: Arns): Key {
  const key = new Key(stack, 'DataKey', {
    description: 'Hawser: encrypts table, queues and alarms',
    enableKeyRotation: true,
    removalPolicy: RemovalPolicy.RETAIN,
    policy: new PolicyDocument({
      statements: [
        new PolicyStatement({
          sid: 'Administration',
          principals: [new AccountRootPrincipal()],
          actions: ['kms:*'],
          resources: ['*'],
        }),
        new PolicyStatement({
          sid: 'ThroughTableAndQueues',
          principals: [new AnyPrincipal()],
          actions: ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:DescribeKey'],
          resources: ['*'],
          conditions: {
            StringEquals: {
              'kms:CallerAccount': stack.account,
              'kms:ViaService': viaServices(stack.region),
            },
            ArnLike: { 'aws:PrincipalArn': arns.anyRole },
          },
        }),
        ...['cloudwatch', 'events'].map(
          (service) =>
            new PolicyStatement({
              sid: `Alarms${service}`,
              principals: [new ServicePrincipal(`${service}.amazonaws.com`)],
              actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
              resources: ['*'],
              conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
            }),
        ),
      ],
    }),
  });
  return key;
}

/** Functions that may sign. */
function signers(): string[] {
  return functions.filter(({ may }) => may.keys?.sign === true).map(({ name }) => name);
}
