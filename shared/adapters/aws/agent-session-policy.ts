import { requireId } from '../../domain/ids.ts';
import { HawserError } from '../../errors.ts';

/** STS takes no longer inline session policy, in characters. */
const longestPolicy = 2048;

export interface AgentResources {
  tableArn: string;
  /** The queue of this cluster. */
  wakeQueueArn: string;
  mailQueueArn: string;
  cipherKeyArn: string;
}

/**
 * The inline policy of one agent's session: it narrows the role's policy to the rows, chunks and queues of this cluster, and
 * grants nothing that the role does not. Reads by key only: Scan and PartiQL have no leading key, and `ForAllValues` holds
 * where a key is absent, so presence is asked for by itself. Ids have no wildcard or variable characters; what is no id throws.
 */
export function agentSessionPolicy(resources: AgentResources, organisation: string, cluster: string): string {
  requireId(organisation, 'organisation');
  requireId(cluster, 'cluster');
  const own = `T#${organisation}#C#${cluster}`;
  const [, partition = '', , region = '', account = ''] = resources.tableArn.split(':');
  const text = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
        Resource: resources.tableArn,
        Condition: {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [own, `${own}#B#*`] },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      },
      {
        Effect: 'Allow',
        Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage'],
        Resource: resources.wakeQueueArn,
      },
      { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: resources.mailQueueArn },
      {
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: resources.cipherKeyArn,
        Condition: { StringEquals: { 'kms:EncryptionContext:hawser:context': `${own}#B` } },
      },
      {
        // Where table and queues have a key of the account's own; which one that is, the role's policy says.
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: `arn:${partition}:kms:${region}:${account}:key/*`,
        Condition: { StringEquals: { 'kms:ViaService': viaServices(region) } },
      },
    ],
  });
  if (text.length <= longestPolicy) return text;
  throw new HawserError(
    'internal',
    `the session policy of ${own} has ${text.length} characters, STS takes ${longestPolicy}`,
    {
      hint: 'Give the table, the queues or the cluster a shorter name.',
    },
  );
}

/** The services through which an agent uses the key that encrypts table and queues, as KMS calls them (`kms:ViaService`). */
export function viaServices(region: string): string[] {
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return ['dynamodb', 'sqs'].map((service) => `${service}.${region}.${domain}`);
}
