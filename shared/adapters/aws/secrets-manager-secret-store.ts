import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { nameOf, toAwsError } from './aws-error.ts';
import { fullJitter } from './backoff.ts';

export interface SecretStoreDeps {
  client: SecretsManagerClient;
  clock: Clock;
  /** Before every name, so that a policy can name what is ours; default `hawser/`. */
  prefix?: string;
  /** Key that encrypts the values; default the account's `aws/secretsmanager`. */
  kmsKeyId?: string;
  random?: () => number;
}

/** What Secrets Manager holds. */
const maxValueBytes = 64 * 1024;
/** A removed name is free again after seconds; two writers may take turns at creating it. */
const attempts = 8;

/**
 * Secrets in Secrets Manager, one per name; the version is AWS's own. `remove` deletes at once, without a recovery window:
 * a revoked credential must not come back. Throws `unavailable`, later, where AWS throttles; never says a value.
 */
export function createSecretStore(deps: SecretStoreDeps): SecretStore {
  const { client } = deps;
  return {
    async get(name) {
      const command = new GetSecretValueCommand({ SecretId: idOf(deps, name) });
      try {
        const { SecretString: value, VersionId: version } = await client.send(command);
        return value === undefined ? undefined : { value, version: version ?? '' };
      } catch (error) {
        if (isGone(error)) return undefined;
        throw toAwsError(error, `secret ${name}: read`);
      }
    },

    async put(name, value) {
      requireValue(name, value);
      for (let attempt = 1; ; attempt += 1) {
        try {
          if ((await replace(deps, name, value)) || (await create(deps, name, value))) return;
        } catch (error) {
          throw toAwsError(error, `secret ${name}: write`);
        }
        if (attempt === attempts) {
          throw new HawserError('unavailable', `secret ${name}: AWS is still removing the one of this name`, {
            retry: 'later',
            hint: 'Try again in a minute.',
          });
        }
        await deps.clock.sleep(fullJitter(attempt + 2, deps.random));
      }
    },

    async remove(name) {
      const command = new DeleteSecretCommand({ SecretId: idOf(deps, name), ForceDeleteWithoutRecovery: true });
      await client.send(command).catch((error: unknown) => {
        if (!isGone(error)) throw toAwsError(error, `secret ${name}: remove`);
      });
    },
  };
}

/** False where there is none of this name. */
async function replace(deps: SecretStoreDeps, name: string, value: string): Promise<boolean> {
  const command = new PutSecretValueCommand({ SecretId: idOf(deps, name), SecretString: value });
  return deps.client.send(command).then(
    () => true,
    (error: unknown) => {
      if (isGone(error)) return false;
      throw error;
    },
  );
}

/** False where somebody was faster, or where the name is not free yet. */
async function create({ client, kmsKeyId, ...deps }: SecretStoreDeps, name: string, value: string): Promise<boolean> {
  const command = new CreateSecretCommand({
    Name: idOf(deps, name),
    SecretString: value,
    ...(kmsKeyId === undefined ? {} : { KmsKeyId: kmsKeyId }),
  });
  return client.send(command).then(
    () => true,
    (error: unknown) => {
      if (nameOf(error) === 'ResourceExistsException' || isGone(error)) return false;
      throw error;
    },
  );
}

/** `InvalidRequestException` is what a secret answers that is being deleted. */
function isGone(error: unknown): boolean {
  return nameOf(error) === 'ResourceNotFoundException' || nameOf(error) === 'InvalidRequestException';
}

/** Names hold letters, digits and `/_+.@-`; anything else, and `=`, becomes `=` and its code. */
function idOf({ prefix = 'hawser/' }: { prefix?: string }, name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9/_+.@-]/gu, (sign) => `=${sign.codePointAt(0)?.toString(16)}=`);
  return `${prefix}${safe}`;
}

function requireValue(name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  if (bytes > 0 && bytes <= maxValueBytes) return;
  throw new HawserError(
    bytes === 0 ? 'invalid-input' : 'too-large',
    `secret ${name} has ${bytes} bytes, a secret holds 1 to ${maxValueBytes}`,
    { data: { name, bytes, limit: maxValueBytes } },
  );
}
