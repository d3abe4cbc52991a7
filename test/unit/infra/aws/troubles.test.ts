import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { explain, type Deployer } from '#infra/aws/troubles.ts';
import { whoDeploys } from '#infra/aws/who-deploys.ts';

const deployer: Deployer = { settings: { region: 'eu-central-1', account: '123456789012' } };

describe('what AWS and cdk say is explained, with what to do', () => {
  test.each([
    [
      'hawser-prod-state: SSM parameter /cdk-bootstrap/hnb659fds/version not found in aws://123456789012/eu-central-1. Has the environment been bootstrapped?',
      'npx cdk bootstrap aws://123456789012/eu-central-1',
    ],
    ['Unable to resolve AWS account to use. It must be either configured when you define your CDK Stack', '--profile'],
    ['CredentialsProviderError Could not load credentials from any providers', 'aws sso login'],
    [
      'ExpiredToken: The security token included in the request is expired',
      'get-caller-identity --region eu-central-1',
    ],
    ['getaddrinfo ENOTFOUND sts.eu-central-1.amazonaws.com', 'HTTPS_PROXY'],
    [
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
      '-c concurrency=unreserved',
    ],
    ['The maximum number of VPCs has been reached. (Service: Ec2, Status Code: 400)', 'VPCs per Region'],
    ['Cannot delete export hawser-prod-state:ExportsOutputX as it is in use by hawser-prod-compute.', 'Upgrades'],
    [
      'User: arn:aws:sts::123456789012:assumed-role/cdk is not authorized to perform: iam:CreateRole with an explicit deny',
      '-c permissionsBoundary=NAME',
    ],
    ['Stack:arn:… is in UPDATE_IN_PROGRESS state and can not be updated.', 'at rest'],
    ['Resource of type AWS::Logs::LogGroup with identifier /hawser/prod/api already exists.', 'Removing it'],
  ])('%s', (said, hint) => {
    expect(explain(said, deployer)?.hint).toContain(hint);
  });

  test('a bootstrap stack of one’s own, and the region of CloudFront, are in the command', () => {
    const waf = { requestsPerFiveMinutes: 1 };
    const more: Deployer = { settings: { ...deployer.settings, qualifier: 'own', waf }, profile: 'work' };
    const hint = explain('SSM parameter /cdk-bootstrap/own/version not found', more)?.hint;

    expect(hint).toContain('aws://123456789012/eu-central-1 aws://123456789012/us-east-1 --qualifier own');
    expect(explain('ExpiredToken', more)?.message).toContain('profile work');
  });

  test('what nobody foresaw is left as it is', () => {
    expect(explain('the moon is full', deployer)).toBeUndefined();
  });
});

describe('whose credentials these are', () => {
  let server: Server | undefined;
  const before = { ...process.env };
  afterEach(() => {
    process.env = { ...before };
    server?.close();
  });

  /** An STS that answers so; the SDK is sent there as any user could. */
  async function stsThatSays(status: number, body: string): Promise<void> {
    server = createServer((_, response) => response.writeHead(status, { 'content-type': 'text/xml' }).end(body));
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    process.env['AWS_ENDPOINT_URL_STS'] = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIA';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'x';
  }
  const answer = (account: string) =>
    `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>${account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`;

  test('is asked before anything is built', async () => {
    await stsThatSays(200, answer('123456789012'));

    expect(await whoDeploys(deployer)).toBe('123456789012');
  });

  test('another account than the one that was named is refused', async () => {
    await stsThatSays(200, answer('210987654321'));

    await expect(whoDeploys(deployer)).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'the credentials are of account 210987654321, -c account says 123456789012',
    });
  });

  test('keys that hold no more say so', async () => {
    await stsThatSays(
      403,
      '<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error></ErrorResponse>',
    );

    await expect(whoDeploys(deployer)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
