import type { ClusterView } from '#shared/messages/api.ts';
import type { Client } from './client.ts';
import type { Context } from './context.ts';
import { exitCode, refused } from './failure.ts';
import { changes } from './follow.ts';
import { span } from './output/age.ts';
import { oneLine } from './output/escape.ts';
import { remark, say } from './output/print.ts';
import { createProgress } from './output/progress.ts';

/**
 * Waits until the agent of a cluster is connected. Answers the exit code: 1 where the time was up, 130 after Ctrl-C; the
 * cluster stays registered either way. Throws where there is no such cluster.
 */
export async function awaitCluster(client: Client, context: Context, name: string, timeoutMs: number): Promise<number> {
  const progress = createProgress(context.err);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const signal = AbortSignal.any([timeout.signal, context.signal]);
  let why = '';
  try {
    const concerns = (event: { type: string }): boolean => event.type === 'cluster';
    for await (const _ of changes(client, context, { signal, concerns })) {
      const { items } = await client.get<{ items: ClusterView[] }>('/api/v1/clusters');
      const cluster = items.find(({ id }) => id === name);
      if (cluster === undefined)
        throw refused(`cluster ${oneLine(name)} is not registered`, 'See `hawser cluster list`.');
      if (cluster.connected) {
        progress.clear();
        const what =
          cluster.kubernetesVersion === undefined ? '' : ` (Kubernetes ${oneLine(cluster.kubernetesVersion)})`;
        say(context, `${context.colour.paint('good', `cluster ${oneLine(name)} is connected`)}${what}`);
        return exitCode.done;
      }
      why = stateOf(cluster, context.now());
      progress.show([`waiting for the agent of ${oneLine(name)}: ${why}`]);
    }
  } finally {
    clearTimeout(timer);
    progress.clear();
  }
  const end = context.signal.aborted ? 'stopped waiting' : `not connected within ${span(timeoutMs)}`;
  remark(context, `${context.errColour.paint('bad', 'error:')} ${oneLine(name)}: ${end}: ${why}`);
  remark(
    context,
    `       It stays registered: \`hawser cluster wait ${oneLine(name)}\` waits again, \`hawser cluster renew ${oneLine(name)}\` prints a new command.`,
  );
  return context.signal.aborted ? exitCode.interrupted : exitCode.differs;
}

/** What stands between a cluster and its being connected. */
function stateOf(cluster: ClusterView, now: number): string {
  if (cluster.revokedAt !== undefined) return 'it is revoked';
  if (cluster.registrationExpiresAt !== undefined) {
    const left = Date.parse(cluster.registrationExpiresAt) - now;
    return left > 0
      ? `it has not registered yet, its token is good for ${span(left)}`
      : 'its registration token has ended';
  }
  return cluster.seenAt === undefined ? 'it has not been heard yet' : 'it has fallen silent';
}
