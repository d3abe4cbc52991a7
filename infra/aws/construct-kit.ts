import { CfnRole, PolicyDocument, Role, type IRole, type PrincipalBase } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { RemovalPolicy, Stack, Token, Validations } from 'aws-cdk-lib';
import type { IConstruct, Construct } from 'constructs';
import type { TrustDocument } from './agent-policies.ts';
import type { PolicyDocument as PlainPolicy } from './policies.ts';

/** Why rules of cdk-nag do not fit a construct and what it holds: rule id to reason, beside the construct that it is about. */
export function acknowledge(construct: IConstruct, reasons: Record<string, string>): void {
  for (const [id, reason] of Object.entries(reasons)) Validations.of(construct).acknowledge({ id, reason });
}

/** Why a statement's resources hold wildcards, by the statement's id. One that is not explained fails cdk-nag. */
export type WildcardReasons = Record<string, string>;

/**
 * A role that may exactly what the plain policy says: nothing that CDK's grants would like to add gets in. `sealed` is what
 * to hand to constructs that would.
 */
export function plainRole(
  scope: Construct,
  id: string,
  settings: { name: string; does: string; assumedBy: PrincipalBase; policy: PlainPolicy; wildcards?: WildcardReasons },
): { role: Role; sealed: IRole } {
  const role = new Role(scope, id, {
    roleName: settings.name,
    description: settings.does,
    assumedBy: settings.assumedBy,
    inlinePolicies: { only: PolicyDocument.fromJson(settings.policy) },
  });
  acknowledgeWildcards(role, settings.policy, settings.wildcards ?? {});
  return { role, sealed: role.withoutPolicyUpdates() };
}

/** A role whose trust, too, is exactly what the plain document says. */
export function trustingRole(
  scope: Construct,
  id: string,
  settings: { name: string; does: string; trust: TrustDocument; policy: PlainPolicy; wildcards: WildcardReasons },
): CfnRole {
  const role = new CfnRole(scope, id, {
    roleName: settings.name,
    description: settings.does,
    assumeRolePolicyDocument: settings.trust,
    policies: [{ policyName: 'only', policyDocument: settings.policy }],
    maxSessionDuration: 3600,
  });
  acknowledgeWildcards(role, settings.policy, settings.wildcards);
  return role;
}

/** Each wildcard by itself, as cdk-nag writes it, so that a new one is noticed. */
function acknowledgeWildcards(role: Construct, { Statement: statements }: PlainPolicy, reasons: WildcardReasons): void {
  const { account } = Stack.of(role);
  for (const { Sid: sid, Effect: effect, Resource: resources } of statements) {
    const reason = reasons[sid];
    if (effect === 'Deny' || reason === undefined) continue;
    for (const resource of resources.filter((one) => one.includes('*'))) {
      const written = Token.isUnresolved(account) ? resource.replaceAll(account, '<AWS::AccountId>') : resource;
      acknowledge(role, { [`AwsSolutions-IAM5[Resource::${written}]`]: reason });
    }
  }
}

/** A log group that is there before anybody writes, so that nobody has to be allowed to make one. It goes with its stack. */
export function logGroup(scope: Construct, id: string, name: string, days: number): LogGroup {
  return new LogGroup(scope, id, { logGroupName: name, retention: days, removalPolicy: RemovalPolicy.DESTROY });
}
