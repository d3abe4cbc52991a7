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
  const text = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:Query'],
        Resource: resources.tableArn,
        Condition: {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [own, `${own}#B`, `${own}#B#*`] },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      },
      {
        Effect: 'Allow',
        Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
        Resource: resources.wakeQueueArn,
      },
      { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: resources.mailQueueArn },
      {
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: resources.cipherKeyArn,
        Condition: { StringEquals: { 'kms:EncryptionContext:hawser:context': `${own}#B` } },
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
