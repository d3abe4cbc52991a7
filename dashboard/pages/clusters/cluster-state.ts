import type { ClusterView } from '#shared/messages/api.ts';

/** How a cluster's agent stands, as one word or two. */
export type AgentState = 'Connected' | 'Revoked' | 'Not heard' | 'Waiting' | 'Token expired' | 'Never seen';

/** `now` in ms since 1970: a registration token that nobody used in time is worth nothing. */
export function agentState(cluster: ClusterView, now: number): AgentState {
  if (cluster.revokedAt !== undefined) return 'Revoked';
  if (cluster.connected) return 'Connected';
  if (cluster.seenAt !== undefined) return 'Not heard';
  if (cluster.registrationExpiresAt === undefined) return 'Never seen';
  return Date.parse(cluster.registrationExpiresAt) > now ? 'Waiting' : 'Token expired';
}

/** True once an agent has come with what was handed out last. */
export function isInstalled(cluster: ClusterView): boolean {
  return cluster.connected && cluster.registrationExpiresAt === undefined;
}

/** Why there is nothing to renew; undefined where there is. */
export function whyNotRenew({ identity }: ClusterView): string | undefined {
  return identity === 'irsa' || identity === 'pod-identity'
    ? `Its agent comes with an IAM role (${identity}): there is no token to renew`
    : undefined;
}

/** Labels as people type them, `env=production zone=a` with spaces or commas between; `wrong` is the first word that is none. */
export function readLabels(text: string): { labels: Record<string, string>; wrong?: string } {
  const labels: Record<string, string> = {};
  for (const word of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const at = word.indexOf('=');
    if (at < 1) return { labels, wrong: word };
    labels[word.slice(0, at)] = word.slice(at + 1);
  }
  return { labels };
}

/** `env=production, zone=a`. */
export function labelText({ labels }: ClusterView): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}
