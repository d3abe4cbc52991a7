import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import { sessionName, wakeQueueName } from '../../domain/wake-queue.ts';
import { HawserError } from '../../errors.ts';
import type { AwsAccess } from '../../messages/agent-identity.ts';
import type { AgentAccess } from '../../ports/agent-access.ts';
import { agentSessionPolicy, type AgentResources } from './agent-session-policy.ts';
import { toAwsError } from './aws-error.ts';

export interface StsAgentAccessDeps {
  client: STSClient;
  /** ARN of the agent-session role. */
  roleArn: string;
  region: string;
  table: string;
  /** Id or ARN of the key that wraps data keys, or its alias. */
  cipherKey: string;
  /** URL prefix of the deployment's queues. */
  queueBase: string;
  /** Where agents find the services when it is not AWS's own addresses. */
  endpoints?: AwsAccess['endpoints'];
}

/** The shortest that STS gives. */
const sessionSeconds = 900;
const rolePattern = /^arn:([a-z-]+):iam::(\d{12}):role\/[\w+=,.@/-]+$/;

/**
 * Assumes the agent-session role for one cluster: tags that the role's policy narrows by, and an inline policy that names the
 * cluster's rows and queues besides. The session's name is what SQS reports as the sender of the agent's mail (NT-111).
 */
export function createStsAgentAccess(deps: StsAgentAccessDeps): AgentAccess {
  const [, partition = '', account = ''] = rolePattern.exec(deps.roleArn) ?? [];
  if (account === '') throw new HawserError('invalid-input', `${deps.roleArn} is not the ARN of a role`);

  return {
    async grant(organisation, cluster) {
      const wakeQueue = `${deps.queueBase}${wakeQueueName(organisation, cluster)}`;
      const mailQueue = `${deps.queueBase}agent-mail`;
      const resources = resourcesOf({ ...deps, partition, account, wakeQueue, mailQueue });
      const command = new AssumeRoleCommand({
        RoleArn: deps.roleArn,
        RoleSessionName: sessionName(organisation, cluster),
        DurationSeconds: sessionSeconds,
        Tags: [
          { Key: 'organisation', Value: organisation },
          { Key: 'cluster', Value: cluster },
        ],
        Policy: agentSessionPolicy(resources, organisation, cluster),
      });
      const { Credentials: given } = await deps.client.send(command).catch((error: unknown) => {
        throw toAwsError(error, `role ${deps.roleArn}: assume for cluster ${cluster}`);
      });
      const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken } = given ?? {};
      if (!accessKeyId || !secretAccessKey || !sessionToken || given?.Expiration === undefined)
        throw new HawserError('unavailable', `role ${deps.roleArn}: STS gave no credentials`, { retry: 'later' });
      return {
        expiresAt: given.Expiration.toISOString(),
        aws: {
          region: deps.region,
          credentials: { accessKeyId, secretAccessKey, sessionToken },
          table: deps.table,
          cipherKey: deps.cipherKey,
          wakeQueue,
          mailQueue,
          ...(deps.endpoints === undefined ? {} : { endpoints: deps.endpoints }),
        },
      };
    },
  };
}

function resourcesOf(from: {
  partition: string;
  account: string;
  region: string;
  table: string;
  cipherKey: string;
  wakeQueue: string;
  mailQueue: string;
}): AgentResources {
  const arn = (service: string, name: string) =>
    `arn:${from.partition}:${service}:${from.region}:${from.account}:${name}`;
  const nameOf = (url: string) => url.split('/').at(-1) ?? '';
  return {
    tableArn: arn('dynamodb', `table/${from.table}`),
    wakeQueueArn: arn('sqs', nameOf(from.wakeQueue)),
    mailQueueArn: arn('sqs', nameOf(from.mailQueue)),
    cipherKeyArn: keyArn(from.cipherKey, (name) => arn('kms', name)),
  };
}

/** A policy names keys by ARN, never by alias: for an alias the role's own policy says which key, and this one for which context. */
function keyArn(key: string, arn: (name: string) => string): string {
  if (/^arn:[^:]+:kms:[^:]*:\d*:key\//.test(key)) return key;
  return key.includes('alias/') ? arn('key/*') : arn(`key/${key}`);
}
