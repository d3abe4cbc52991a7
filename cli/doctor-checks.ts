import { isSshUrl } from '#shared/domain/repository-url.ts';
import type { ApplicationSummary, ClusterView, QueueView, RepositoryView } from '#shared/messages/api.ts';
import type { z } from 'zod';
import { age } from './output/age.ts';
import { counted } from './output/count.ts';

export type Grade = 'ok' | 'warn' | 'fail';

/** One line of `hawser doctor`. `todo` is there for everything that is not ok. */
export interface Check {
  grade: Grade;
  subject: string;
  finding: string;
  todo?: string;
}

/** The service polls a repository within 5 minutes; past twice that something is stuck. */
const lateMs = 10 * 60_000;

/** Whether client and service fit: same major and minor version (before 1.0 minor versions may differ in contract). Pure. */
export function checkVersions(client: string, server: string): Check {
  const part = (version: string): string => version.split('.').slice(0, 2).join('.');
  if (part(client) === part(server))
    return { grade: 'ok', subject: 'version', finding: `client ${client}, service ${server}` };
  return {
    grade: 'warn',
    subject: 'version',
    finding: `client ${client} and service ${server} are not of one version`,
    todo: 'Update the older of the two; commands may fail or show too little.',
  };
}

/** Pure. */
export function checkClusters(clusters: readonly ClusterView[], now: number): Check[] {
  if (clusters.length === 0) {
    return [
      {
        grade: 'fail',
        subject: 'clusters',
        finding: 'none is registered',
        todo: 'Register one with `hawser cluster add NAME`.',
      },
    ];
  }
  return clusters.map((cluster): Check => {
    const subject = `cluster ${cluster.id}`;
    if (cluster.connected) {
      const version = cluster.kubernetesVersion === undefined ? '' : `, Kubernetes ${cluster.kubernetesVersion}`;
      return { grade: 'ok', subject, finding: `its agent was heard ${age(cluster.seenAt, now)} ago${version}` };
    }
    if (cluster.seenAt === undefined) {
      return {
        grade: 'fail',
        subject,
        finding: 'its agent has never been heard',
        todo: 'Install the agent; `hawser cluster add` printed how.',
      };
    }
    return {
      grade: 'fail',
      subject,
      finding: `its agent has been silent for ${age(cluster.seenAt, now)}`,
      todo: 'Look into its log: kubectl -n hawser-system logs deployment/hawser-agent. What runs goes on running.',
    };
  });
}

/** Pure. */
export function checkRepositories(repositories: readonly RepositoryView[], now: number): Check[] {
  if (repositories.length === 0) {
    return [
      {
        grade: 'warn',
        subject: 'repositories',
        finding: 'none is read',
        todo: 'Register applications with `hawser apply -f FILE`.',
      },
    ];
  }
  return repositories.map((repository): Check => {
    const subject = `repository ${repository.id}`;
    if (repository.error !== undefined) {
      const how = isSshUrl(repository.url)
        ? '`hawser repo add URL --ssh-private-key-path FILE --known-hosts FILE`'
        : '`hawser repo add URL --username … --password -`';
      const todo =
        repository.errorCode === 'revision-not-found'
          ? 'Bring it back, or correct `targetRevision` (`spec.ref` in Flux) where it is declared.'
          : repository.hasCredentials
            ? `Check its address, and its credentials with ${how}.`
            : `Check its address; if it is private, give credentials with ${how}.`;
      return { grade: 'fail', subject, finding: repository.error, todo };
    }
    if (repository.lastSeenAt === undefined) {
      const isUsed = repository.applications > 0;
      return isUsed
        ? {
            grade: 'warn',
            subject,
            finding: 'has not been read yet',
            todo: 'Wait for the next poll, or use `hawser refresh APPLICATION`.',
          }
        : { grade: 'ok', subject, finding: 'is registered; no application reads it' };
    }
    // `lastSeenAt` is when something new was seen; a repository may well be quiet for days.
    const last = repository.lastPolledAt;
    const quiet = `brought something new ${age(repository.lastSeenAt, now)} ago`;
    const finding = last === undefined ? quiet : `${quiet}, was polled ${age(last, now)} ago`;
    const late = last !== undefined && now - Date.parse(last) > lateMs && repository.applications > 0;
    return late
      ? { grade: 'warn', subject, finding, todo: 'It should be polled every few minutes: see `hawser queues list`.' }
      : { grade: 'ok', subject, finding };
  });
}

/** Pure. */
export function checkQueues(queues: readonly z.infer<typeof QueueView>[]): Check[] {
  const withDead = queues.filter(({ dead }) => dead > 0);
  if (withDead.length === 0) return [{ grade: 'ok', subject: 'queues', finding: 'no dead letters' }];
  return withDead.map(({ name, dead }) => ({
    grade: 'warn',
    subject: `queue ${name}`,
    finding: `${counted(dead, 'message')} could not be handled`,
    todo: `See why with \`hawser queues peek ${name}\`, then \`hawser queues redrive ${name}\`.`,
  }));
}

/** Judges the counters of webhook deliveries in the service's metrics; undefined: it has none. Pure. */
export function checkWebhooks(metrics: string | undefined): Check {
  const subject = 'webhooks';
  const elsewhere = /^# See (\w+)\.$/m.exec(metrics ?? '')?.[1];
  if (elsewhere !== undefined) return { grade: 'ok', subject, finding: `are counted in ${elsewhere}, not here` };
  const counts = deliveriesIn(metrics ?? '');
  const hints = counts.get('hint') ?? 0;
  const refused = (counts.get('401') ?? 0) + (counts.get('404') ?? 0) + (counts.get('415') ?? 0);
  if (hints > 0 && refused === 0)
    return { grade: 'ok', subject, finding: `${counted(hints, 'hint')} came from webhooks since the service started` };
  if (refused > 0) {
    return {
      grade: 'warn',
      subject,
      finding: `refused since the service started: ${counted(refused, 'delivery')}${hints > 0 ? `; accepted: ${hints}` : ''}`,
      todo: 'Look at the answers in the webhook settings of your Git host: they say what is wrong (secret, address, content type).',
    };
  }
  return {
    grade: 'warn',
    subject,
    finding: 'no push has been announced since the service started; they are found by polling',
    todo: 'Add a webhook at your Git host: `hawser repo list -o wide` shows its path, `hawser repo add` its secret.',
  };
}

/** Pure. */
export function checkApplications(applications: readonly ApplicationSummary[]): Check[] {
  if (applications.length === 0) {
    return [
      {
        grade: 'warn',
        subject: 'applications',
        finding: 'there are none',
        todo: 'Register yours with `hawser apply -f FILE`.',
      },
    ];
  }
  // Without a sync status what Git says could not be read, rendered or permitted.
  const broken = applications.filter(
    ({ operation, health, sync, invalid }) =>
      operation === 'Failed' ||
      operation === 'Error' ||
      health === 'Degraded' ||
      sync === 'Unknown' ||
      invalid === true,
  );
  const held = applications.filter((one) => one.held);
  const fine: Check = {
    grade: 'ok',
    subject: 'applications',
    finding: `${applications.length - broken.length} of ${applications.length} without trouble`,
  };
  return [
    ...(broken.length === 0 ? [fine] : []),
    ...broken.slice(0, 10).map(({ id, health, sync, message, healthMessage }): Check => ({
      grade: 'warn',
      subject: `application ${id}`,
      finding: `${sync}, ${health}: ${message ?? healthMessage ?? (sync === 'Unknown' ? 'it has not been read yet' : 'its last sync failed')}`,
      todo: `See \`hawser events ${id}\` and \`hawser tree ${id}\`.`,
    })),
    ...(broken.length > 10 ? [moreOf(broken.length - 10)] : []),
    ...held.slice(0, 10).map(({ id }): Check => ({
      grade: 'warn',
      subject: `application ${id}`,
      finding: 'deletions are held back',
      todo: `Look at them with \`hawser confirm ${id}\`.`,
    })),
  ];
}

function moreOf(count: number): Check {
  return {
    grade: 'warn',
    subject: 'applications',
    finding: `${counted(count, 'more application')} in trouble`,
    todo: 'See `hawser get applications`.',
  };
}

function deliveriesIn(metrics: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, labels = '', value = '0'] of metrics.matchAll(/^hawser_webhook_deliveries_total\{([^}]*)\} (\d+)/gm)) {
    const outcome = /outcome="([^"]*)"/.exec(labels)?.[1] ?? '';
    counts.set(outcome, (counts.get(outcome) ?? 0) + Number(value));
  }
  return counts;
}
