import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { z } from 'zod';
import { idPattern } from '#shared/domain/ids.ts';
import { sessionName } from '#shared/domain/wake-queue.ts';
import { HawserError } from '#shared/errors.ts';
import {
  agentClusterPolicy,
  irsaTrust,
  podIdentityTargetTrust,
  podIdentityTrust,
  type TrustDocument,
} from './agent-policies.ts';
import { trustingRole } from './construct-kit.ts';
import { namesOf, queueBase } from './names.ts';
import { boundaryProblems, platformContext, regionContext, type PlatformSettings } from './platform.ts';
import type { PolicyScope } from './policies.ts';
import { keyArn } from './settings.ts';

/** One cluster's own way into a deployment, instead of the token function's sessions. */
export interface AgentAccessSettings extends PlatformSettings {
  environment: string;
  region: string;
  organisation: string;
  cluster: string;
  account?: string | undefined;
  namespace: string;
  serviceAccount: string;
  /** Output CipherKeyArn of the state stack. */
  cipherKeyArn: string;
  /** Output DataKeyArn of the state stack, where there is one (`encryption=customer`). */
  dataKeyArn?: string | undefined;
  /** IRSA. */
  oidcProviderArn?: string | undefined;
  /** EKS Pod Identity in this account. */
  eksClusterArn?: string | undefined;
  /** EKS Pod Identity from another account: the role of the association there, and the id that it shows. */
  sourceRoleArn?: string | undefined;
  externalId?: string | undefined;
}

const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'is no name of Kubernetes');
const arn = (service: string, rest: string) =>
  z.string().regex(new RegExp(`^arn:aws[a-z-]*:${service}:${rest}$`), `is no ARN of ${service}`);

const Context = z
  .object({
    environment: z
      .string()
      .regex(/^[a-z][a-z0-9]{0,19}$/, 'is no name: 1 to 20 characters of a-z and 0-9, a letter first'),
    region: regionContext,
    organisation: z.string().regex(idPattern, 'is no id'),
    cluster: z.string().regex(idPattern, 'is no id'),
    account: z
      .string()
      .regex(/^\d{12}$/, 'is no account: 12 digits')
      .optional(),
    // Where the chart is installed (functions/api/install-command.ts).
    namespace: name.default('hawser-system'),
    serviceAccount: name.default('hawser-agent'),
    ...platformContext,
    cipherKeyArn: keyArn,
    dataKeyArn: keyArn.optional(),
    oidcProviderArn: arn('iam', String.raw`:\d{12}:oidc-provider\/[^*?]+`).optional(),
    eksClusterArn: arn('eks', String.raw`[a-z0-9-]+:\d{12}:cluster\/[A-Za-z0-9_-]+`).optional(),
    sourceRoleArn: arn('iam', String.raw`:\d{12}:role\/[\w+=,.@\/-]+`).optional(),
    externalId: z.string().min(2).max(1224).optional(),
  })
  .superRefine((given, { addIssue }) => {
    const ways = [given.oidcProviderArn, given.eksClusterArn, given.sourceRoleArn].filter((one) => one !== undefined);
    const say = (path: string, message: string) => addIssue({ code: 'custom', path: [path], message });
    if (ways.length !== 1)
      say(
        'way',
        'give exactly one of oidcProviderArn (IRSA), eksClusterArn (EKS Pod Identity), sourceRoleArn (EKS Pod Identity from another account)',
      );
    if ((given.sourceRoleArn === undefined) !== (given.externalId === undefined))
      say('externalId', 'and sourceRoleArn go together');
    for (const { path, message } of boundaryProblems(given.permissionsBoundary, given)) say(path, message);
  });

/** Context keys of the app `agent-access.ts`. */
export const agentContextKeys: readonly string[] = Object.keys(Context.shape);

/** Settings from context; throws `invalid-input` naming every problem at once. */
export function readAgentSettings(read: (key: string) => unknown): AgentAccessSettings {
  const given = agentContextKeys.map((key) => [key, read(key)] as const).filter(([, value]) => value !== undefined);
  const parsed = Context.safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message, code }) =>
    code === 'invalid_type' ? `${path.join('.')} is missing or no text` : `${path.join('.')} ${message}`,
  );
  throw new HawserError('invalid-input', `the agent's access cannot be described:\n  ${problems.join('\n  ')}`, {
    hint: 'Keys and examples are in infra/aws/README.md, «Agents with a role of their own».',
    data: { problems },
  });
}

/** Role of one cluster's agent, which may read that cluster's rows and snapshots and nothing else. */
export class AgentAccessStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps & { settings: AgentAccessSettings }) {
    super(scope, id, props);
    const { settings } = props;
    const { organisation, cluster } = settings;
    const place = { ...settings, account: this.account };
    const names = namesOf(settings);
    const role = trustingRole(this, 'Agent', {
      // Under `agent-`, as the queue for agents' mail and the data key expect; ids may be longer than what is left of 64.
      name: roleName(names.role('agent-'), sessionName(organisation, cluster)),
      does: `Hawser: agent of cluster ${cluster} of ${organisation}`,
      trust: trustOf(settings, this.account),
      policy: agentClusterPolicy(scopeOf(settings, this.account), cluster),
      wildcards: {},
    });
    new CfnOutput(this, 'RoleArn', { value: role.attrArn });
    // Who the queue says the sender is: `hawser cluster add --aws-role-id …`.
    new CfnOutput(this, 'RoleId', { value: role.attrRoleId });
    new CfnOutput(this, 'WakeQueue', {
      value: `${queueBase(place)}${names.wake(cluster).slice(names.prefix.length + 1)}`,
    });
    new CfnOutput(this, 'MailQueue', { value: `${queueBase(place)}agent-mail` });
    new CfnOutput(this, 'TableName', { value: names.table });
  }
}

/** IAM takes 64 characters; 15 of the hash are left with the longest names of environment and region. */
function roleName(beginning: string, hash: string): string {
  return `${beginning}${hash.slice(0, Math.min(20, 64 - beginning.length))}`;
}

function scopeOf({ dataKeyArn, ...settings }: AgentAccessSettings, account: string): PolicyScope {
  return { ...settings, account, rootKeyArn: '', ...(dataKeyArn === undefined ? {} : { dataKeyArn }) };
}

function trustOf(settings: AgentAccessSettings, account: string): TrustDocument {
  const { oidcProviderArn, eksClusterArn, sourceRoleArn, externalId } = settings;
  if (oidcProviderArn !== undefined) return irsaTrust(oidcProviderArn, settings);
  if (eksClusterArn !== undefined) return podIdentityTrust(account, eksClusterArn, settings);
  return podIdentityTargetTrust(sourceRoleArn ?? '', externalId ?? '');
}
