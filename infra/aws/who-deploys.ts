import { Agent } from 'node:https';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { HawserError, messageOf } from '#shared/errors.ts';
import { explain, type Deployer } from './troubles.ts';

/**
 * Asks AWS whose credentials these are: the account, 12 digits. Throws what `explain` makes of the answer, and `invalid-input`
 * where they are of another account than the one that was named.
 */
export async function whoDeploys(deployer: Deployer): Promise<string> {
  const { settings } = deployer;
  const client = new STSClient({ ...clientConfig(deployer), maxAttempts: 2 });
  const { Account: account = '' } = await client.send(new GetCallerIdentityCommand({})).catch((error: unknown) => {
    const said = error instanceof Error ? `${error.name} ${messageOf(error)}` : String(error);
    throw explain(said, deployer) ?? error;
  });
  if (settings.account === undefined || settings.account === account) return account;
  throw new HawserError(
    'invalid-input',
    `the credentials are of account ${account}, -c account says ${settings.account}`,
    {
      hint: 'Take the credentials of the account that was meant (--profile NAME), or leave -c account out.',
    },
  );
}

/** For SDK clients of a deployment: its region and profile, and the proxy that the environment names, as cdk has them. */
export function clientConfig({ settings, profile }: Deployer) {
  return {
    region: settings.region,
    requestHandler: { httpsAgent: new Agent({ keepAlive: false, proxyEnv: process.env }) },
    ...(profile === undefined ? {} : { profile }),
  };
}
