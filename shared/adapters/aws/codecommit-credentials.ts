import { createHash, createHmac } from 'node:crypto';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { nameOf } from './aws-error.ts';

/** Keys of an AWS identity; those of a role end with a session token. */
export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

export interface CodeCommitDeps {
  /** The SDK's own chain, as every client has it (`client.config.credentials`): it keeps keys and renews them. */
  credentials: () => Promise<AwsKeys>;
  clock: Clock;
}

/**
 * User and password with which the role that this runs as reads a repository of CodeCommit over https; needs
 * `codecommit:GitPull`. They are made anew for each request, hold for minutes, and for this repository only.
 * Throws `repository-auth-failed` where there is no identity.
 */
export function createCodeCommitLogin(
  deps: CodeCommitDeps,
): (url: URL) => Promise<{ username: string; password: string }> {
  return async (url) => {
    const keys = await keysOf(deps);
    return {
      username: keys.sessionToken === undefined ? keys.accessKeyId : `${keys.accessKeyId}%${keys.sessionToken}`,
      password: codeCommitPassword(url, keys.secretAccessKey, deps.clock.now()),
    };
  };
}

/**
 * Signature Version 4 over `GIT PATH` with the host as its only header and no hash of a body; before it the time, to the
 * second. The scheme of AWS's own credential helper and of git-remote-codecommit
 * (github.com/aws/git-remote-codecommit; docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 *
 * @param now Milliseconds since 1970.
 */
export function codeCommitPassword(url: URL, secretAccessKey: string, now: number): string {
  const time = new Date(now).toISOString().replaceAll(/[:-]|\.\d+Z$/g, '');
  const day = time.slice(0, 8);
  const region = url.hostname.split('.')[1] ?? '';
  const request = ['GIT', url.pathname, '', `host:${url.hostname}`, '', 'host', ''].join('\n');
  const scope = `${day}/${region}/codecommit/aws4_request`;
  const hash = createHash('sha256').update(request).digest('hex');
  const key = [day, region, 'codecommit', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash].join('\n')).toString('hex');
  return `${time}Z${signature}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

async function keysOf({ credentials }: CodeCommitDeps): Promise<AwsKeys> {
  try {
    return await credentials();
  } catch (error) {
    throw new HawserError(
      'repository-auth-failed',
      `There is no AWS identity to read CodeCommit with (${nameOf(error)})`,
      {
        hint: 'Give the service a role that may do codecommit:GitPull on the repository.',
        retry: 'later',
      },
    );
  }
}
