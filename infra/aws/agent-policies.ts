import { viaServices } from '#shared/adapters/aws/agent-session-policy.ts';
import { HawserError } from '#shared/errors.ts';
import { isId } from '#shared/domain/ids.ts';
import { arnsOf, type Place } from './names.ts';
import {
  dataKeyStatement,
  noWayAroundRows,
  policy,
  rowsStatement,
  sessionTags,
  type PolicyDocument,
  type PolicyScope,
  type Statement,
} from './policies.ts';

/** A statement of who may become a role. */
export interface TrustStatement extends Omit<Statement, 'Resource'> {
  Principal: { AWS?: string; Service?: string; Federated?: string };
}

export interface TrustDocument {
  Version: '2012-10-17';
  Statement: TrustStatement[];
}

/**
 * Role of every agent's session: reads the rows of the cluster that the session's tags name, and no other's. Which wake queue
 * is that cluster's cannot be said by tags (its name is a hash), so the session policy of functions/token says it: what a
 * session may do is what both allow.
 */
export function agentSessionPolicy(scope: PolicyScope): PolicyDocument {
  return agentPolicy(scope, {
    organisation: '${aws:PrincipalTag/organisation}',
    cluster: '${aws:PrincipalTag/cluster}',
    present: ['aws:PrincipalTag/organisation', 'aws:PrincipalTag/cluster'],
    wakeQueue: arnsOf(scope).anyWake,
  });
}

/** Role of one cluster's agent under IRSA or EKS Pod Identity: the same, with the cluster's names written out. */
export function agentClusterPolicy(scope: PolicyScope, cluster: string): PolicyDocument {
  if (!isId(cluster)) {
    throw new HawserError('invalid-input', `cluster ${JSON.stringify(cluster.slice(0, 80))} is not an id`, {
      hint: 'Use the name under which the cluster was added: 1 to 63 characters of a-z, 0-9 and -.',
    });
  }
  return agentPolicy(scope, {
    organisation: scope.organisation,
    cluster,
    present: [],
    wakeQueue: arnsOf(scope).wake(cluster),
  });
}

/** Only the token function becomes an agent's session, and only with both tags. */
export function agentSessionTrust(place: Place): TrustDocument {
  return trust([
    {
      Sid: 'TokenFunctionOnly',
      Effect: 'Allow',
      Principal: { AWS: arnsOf(place).role('token') },
      Action: ['sts:AssumeRole', 'sts:TagSession'],
      Condition: sessionTags,
    },
  ]);
}

/** Which ServiceAccount of which cluster: what both ways into EKS ask for. */
export interface Workload {
  namespace: string;
  serviceAccount: string;
}

/**
 * IRSA: the ServiceAccount's token, of exactly this subject and for exactly this audience.
 * `providerArn`: the cluster's OIDC provider in this account, `arn:aws:iam::ACCOUNT:oidc-provider/ISSUER`.
 */
export function irsaTrust(providerArn: string, { namespace, serviceAccount }: Workload): TrustDocument {
  const issuer = /^arn:[a-z-]+:iam::[^:]+:oidc-provider\/(.+)$/.exec(providerArn)?.[1];
  if (issuer === undefined) {
    throw new HawserError('invalid-input', `${JSON.stringify(providerArn)} is no ARN of an OIDC provider`, {
      hint: 'See `aws iam list-open-id-connect-providers`.',
    });
  }
  return trust([
    {
      Sid: 'OneServiceAccount',
      Effect: 'Allow',
      Principal: { Federated: providerArn },
      Action: ['sts:AssumeRoleWithWebIdentity'],
      Condition: {
        StringEquals: {
          [`${issuer}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}`,
          [`${issuer}:aud`]: 'sts.amazonaws.com',
        },
      },
    },
  ]);
}

/** EKS Pod Identity in this account: EKS itself tags the session with namespace, ServiceAccount and cluster. */
export function podIdentityTrust(account: string, eksClusterArn: string, workload: Workload): TrustDocument {
  return trust([
    {
      Sid: 'OneServiceAccount',
      Effect: 'Allow',
      Principal: { Service: 'pods.eks.amazonaws.com' },
      Action: ['sts:AssumeRole', 'sts:TagSession'],
      Condition: {
        StringEquals: {
          'aws:RequestTag/kubernetes-namespace': workload.namespace,
          'aws:RequestTag/kubernetes-service-account': workload.serviceAccount,
          'aws:RequestTag/eks-cluster-arn': eksClusterArn,
          'aws:SourceAccount': account,
        },
        ArnEquals: { 'aws:SourceArn': eksClusterArn },
      },
    },
  ]);
}

/**
 * EKS Pod Identity from another account: that account's association names this role as its target, and EKS passes the
 * association's own external id. `sourceRoleArn`: the association's role over there.
 */
export function podIdentityTargetTrust(sourceRoleArn: string, externalId: string): TrustDocument {
  return trust([
    {
      Sid: 'OneAssociation',
      Effect: 'Allow',
      Principal: { AWS: sourceRoleArn },
      Action: ['sts:AssumeRole', 'sts:TagSession'],
      Condition: { StringEquals: { 'sts:ExternalId': externalId } },
    },
  ]);
}

function agentPolicy(
  scope: PolicyScope,
  agent: { organisation: string; cluster: string; present: readonly string[]; wakeQueue: string },
): PolicyDocument {
  const arns = arnsOf(scope);
  const partition = `T#${agent.organisation}#C#${agent.cluster}`;
  return policy([
    rowsStatement(
      'OwnRows',
      arns.table,
      ['GetItem', 'BatchGetItem', 'Query'],
      // Rows and chunks: cluster `a` must not read those of a cluster `a#…`, which no id can be.
      [partition, `${partition}#B#*`],
      agent.present,
    ),
    noWayAroundRows(arns.table),
    dataKeyStatement('OwnSnapshots', 'kms:Decrypt', scope.cipherKeyArn, [`${partition}#B`]),
    {
      Sid: 'OwnWakeQueue',
      Effect: 'Allow',
      Action: ['sqs:ReceiveMessage', 'sqs:DeleteMessage'],
      Resource: [agent.wakeQueue],
    },
    { Sid: 'Mail', Effect: 'Allow', Action: ['sqs:SendMessage'], Resource: [arns.queue('agent-mail')] },
    ...(scope.dataKeyArn === undefined ? [] : [throughServices(scope.dataKeyArn, scope)]),
  ]);
}

/**
 * What the account's own key for table and queues asks of whoever uses those: to decrypt what DynamoDB gives, and to encrypt
 * what SQS takes. Through these services only, so that nobody can use it on what was not read by the rules above. The key's
 * own policy allows it already; a session may do only what its role's policy names. Wake queues have SQS's own key.
 */
function throughServices(dataKeyArn: string, place: Place): Statement {
  return {
    Sid: 'DataKeyThroughServices',
    Effect: 'Allow',
    Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
    Resource: [dataKeyArn],
    Condition: { StringEquals: { 'kms:ViaService': viaServices(place.region) } },
  };
}

function trust(Statement: TrustStatement[]): TrustDocument {
  return { Version: '2012-10-17', Statement };
}
