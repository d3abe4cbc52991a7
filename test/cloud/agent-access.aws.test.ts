import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { expect, it, onTestFinished } from 'vitest';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createStsAgentAccess } from '#shared/adapters/aws/sts-agent-access.ts';
import { sessionName } from '#shared/domain/wake-queue.ts';
import { describeOnAws } from './aws-emulators.ts';

const region = 'eu-central-1';

await describeOnAws("an agent's session", ['localstack'], (aws) => {
  /** Access through the STS of the emulator; another endpoint breaks it. */
  async function open(endpoint?: string) {
    const client = new STSClient({
      ...clientSettings(),
      region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 2,
      endpoint: endpoint ?? (await aws.endpoints()).localstack,
    });
    onTestFinished(() => client.destroy());
    return createStsAgentAccess({
      client,
      roleArn: 'arn:aws:iam::000000000000:role/agent-session',
      region,
      table: 'hawser-test-state',
      cipherKey: 'alias/hawser-test/cipher/acme',
      queueBase: 'https://sqs.eu-central-1.amazonaws.com/000000000000/hawser-test-',
      endpoints: { sqs: 'http://127.0.0.1:1' },
    });
  }

  it('is given by STS with credentials that are of the role and named after the cluster (NT-111)', async () => {
    const before = Date.now();
    const { aws: access, expiresAt } = await (await open()).grant('acme', 'prod');

    expect(Date.parse(expiresAt) - before).toBeGreaterThan(0);
    expect(Date.parse(expiresAt) - before).toBeLessThan(960_000);
    expect(access).toMatchObject({ region, table: 'hawser-test-state', endpoints: { sqs: 'http://127.0.0.1:1' } });
    expect(access.mailQueue).toMatch(/\/hawser-test-agent-mail$/);
    const agent = new STSClient({
      region,
      credentials: access.credentials,
      endpoint: (await aws.endpoints()).localstack,
    });
    onTestFinished(() => agent.destroy());
    const { Arn } = await agent.send(new GetCallerIdentityCommand({}));
    expect(Arn).toBe(`arn:aws:sts::000000000000:assumed-role/agent-session/${sessionName('acme', 'prod')}`);
  });

  it('is put off while STS is away', async () => {
    const access = await open('http://127.0.0.1:1');
    await expect(access.grant('acme', 'prod')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
  });
});
