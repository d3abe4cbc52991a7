import { HawserError, type ErrorCode } from '#shared/errors.ts';
import type { DeploymentSettings } from './settings.ts';

/** Who deploys what, as far as answers need it. */
export interface Deployer {
  settings: Pick<DeploymentSettings, 'region' | 'account' | 'qualifier' | 'waf' | 'permissionsBoundary'>;
  profile?: string;
}

interface Trouble {
  /** As AWS or cdk say it. */
  says: RegExp;
  code: ErrorCode;
  means: string;
  hint: string;
}

/** The most telling first: cdk wraps one error into others. */
function troublesOf(deployer: Deployer): Trouble[] {
  return [...ofAccess(deployer), ...ofTheAccount(deployer)];
}

/** Nobody, nowhere, or nothing to deploy with. */
function ofAccess({ settings, profile }: Deployer): Trouble[] {
  const { region, account = 'ACCOUNT', qualifier } = settings;
  const more = qualifier === undefined ? '' : ` --qualifier ${qualifier} --toolkit-stack-name CDKToolkit-${qualifier}`;
  const regions = settings.waf === undefined ? [region] : [...new Set([region, 'us-east-1'])];
  const places = regions.map((one) => `aws://${account}/${one}`).join(' ');
  return [
    {
      says: /SSM parameter \S+ not found|has the environment been bootstrapped|bootstrap stack version|toolkit stack/i,
      code: 'conflict',
      means: `${regions.join(' or ')} of the account is not bootstrapped for CDK, or by an older version`,
      hint: `Once for an account and region, with rights of an administrator: npx cdk bootstrap ${places}${more}`,
    },
    {
      says: /unable to resolve AWS account|could not load credentials|no credentials|CredentialsProviderError|ExpiredToken|token (has|is) expired|InvalidClientTokenId|UnrecognizedClientException|security token included in the request is (invalid|expired)|SignatureDoesNotMatch|could not be found in (shared credentials|config)|SSO session|Could not resolve credentials using profile/i,
      code: 'unauthenticated',
      means: `there are no credentials for AWS that hold in ${region}${profile === undefined ? '' : ` (profile ${profile})`}`,
      hint: `Try \`aws sts get-caller-identity --region ${region}${profile === undefined ? '' : ` --profile ${profile}`}\`: it must answer. Log in (\`aws sso login\`), export AWS_ACCESS_KEY_ID …, or give --profile NAME; a region that must be opted into (Account settings) refuses everybody before.`,
    },
    {
      says: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|Could not connect to the endpoint|TimeoutError/,
      code: 'unavailable',
      means: `AWS in ${region} cannot be reached from here`,
      hint: 'Check network and proxy (HTTPS_PROXY), then run it again: what is deployed stays as it is.',
    },
  ];
}

/** What the account does not have, does not allow, or has already. */
function ofTheAccount({ settings }: Deployer): Trouble[] {
  const { region } = settings;
  return [
    {
      says: /UnreservedConcurrentExecution/,
      code: 'conflict',
      means: `the account may not run enough functions at once in ${region}`,
      hint: 'Raise the quota (Service Quotas: Lambda, Concurrent executions), which all deployments of account and region share, or deploy with -c concurrency=unreserved.',
    },
    {
      says: /maximum number of VPCs|VpcLimitExceeded/i,
      code: 'conflict',
      means: `${region} of the account has as many VPCs as it may have, and the sandbox needs one`,
      hint: 'Raise the quota (Service Quotas: VPC, VPCs per Region; it is 5 at first) or remove one.',
    },
    {
      says: /cannot delete export|export \S+ cannot be (deleted|updated)/i,
      code: 'conflict',
      means: 'a stack still uses what an earlier one no longer gives',
      hint: 'See «Upgrades and changes» in infra/aws/README.md: the stacks that use it come first there.',
    },
    {
      says: /not authorized to perform|AccessDenied/,
      code: 'forbidden',
      means: 'the account does not let this deployment do something (which, stands above)',
      hint: `Where roles need a boundary, give -c permissionsBoundary=NAME${settings.permissionsBoundary === undefined ? '' : ' (given: see that it lets CloudFormation attach it)'}; where cdk's own roles lack rights, look at how the account was bootstrapped. infra/aws/README.md, «Permissions».`,
    },
    {
      says: /_IN_PROGRESS state and can ?not be updated/i,
      code: 'conflict',
      means: 'somebody else is deploying it, or CloudFormation has not finished',
      hint: 'Wait until the stack is at rest (CloudFormation console), then run it again.',
    },
    {
      says: /already exists/i,
      code: 'conflict',
      means: 'something of that name is there already and belongs to no stack of this deployment',
      hint: 'Left over from a deployment that was removed? See «Removing it» in infra/aws/README.md. Else take another -c environment.',
    },
  ];
}

/** What is wrong, from what AWS or cdk said; undefined where nobody foresaw it. */
export function explain(said: string, deployer: Deployer): HawserError | undefined {
  const trouble = troublesOf(deployer).find(({ says }) => says.test(said));
  return trouble && new HawserError(trouble.code, trouble.means, { hint: trouble.hint });
}
