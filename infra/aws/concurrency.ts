import { HawserError } from '#shared/errors.ts';
import { functions } from './functions.ts';
import type { DeploymentSettings } from './settings.ts';

/**
 * Lambda keeps 100 executions unreserved; what an account may run at all is a quota that new ones must raise first. Throws
 * `invalid-input` where the functions would reserve more than is left.
 */
export function requireConcurrency({
  concurrency,
  accountConcurrency,
}: Pick<DeploymentSettings, 'concurrency' | 'accountConcurrency'>): void {
  if (concurrency === 'unreserved') return;
  const reserved = functions.reduce((sum, spec) => sum + spec.reserved, 0);
  const most = accountConcurrency - 100;
  if (reserved <= most) return;
  throw new HawserError(
    'invalid-input',
    `functions reserve ${reserved} concurrent executions, an account that may run ${accountConcurrency} can reserve ${most}`,
    {
      hint: 'Raise the quota (Service Quotas: Lambda, Concurrent executions) and say so with -c accountConcurrency=…, or deploy with -c concurrency=unreserved.',
      data: { reserved, most },
    },
  );
}
