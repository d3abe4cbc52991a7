import type { JsonObject } from '#shared/domain/json.ts';
import type { ApplicationSummary, ClusterView, EventView, RepositoryView } from '#shared/messages/api.ts';
import { age } from '../output/age.ts';
import { shadeOf } from '../output/colour.ts';
import type { Cell, Column } from '../output/table.ts';
import { conditionOf, fieldOf, metadataOf } from './declared.ts';

const mebibyte = 1024 * 1024;

/** The columns of applications; NAMESPACE only where it tells them apart. */
export function applicationColumns(rows: readonly ApplicationSummary[], now: number): Column<ApplicationSummary>[] {
  const hasNamespaces = new Set(rows.map(({ namespace }) => namespace)).size > 1;
  return [
    ...(hasNamespaces ? [{ header: 'NAMESPACE', of: (row: ApplicationSummary) => row.namespace }] : []),
    { header: 'NAME', of: ({ name }) => name },
    { header: 'CLUSTER', of: ({ cluster }) => cluster },
    { header: 'SYNC', of: ({ sync }) => word(sync) },
    { header: 'HEALTH', of: ({ health }) => word(health) },
    { header: 'REVISION', of: ({ revision }) => shortRevision(revision) },
    { header: 'UPDATED', of: ({ updatedAt }) => age(updatedAt, now) },
    { header: 'ID', wide: true, of: ({ id }) => id },
    { header: 'KIND', wide: true, of: ({ kind }) => kind },
    { header: 'PROJECT', wide: true, of: ({ project }) => project },
    { header: 'DESTINATION', wide: true, of: ({ destinationNamespace }) => destinationNamespace },
    { header: 'REPOSITORY', wide: true, of: ({ repository }) => repository },
    { header: 'PATH', wide: true, of: ({ path }) => path },
    { header: 'TARGET', wide: true, of: ({ targetRevision }) => targetRevision },
    { header: 'OBJECTS', wide: true, of: ({ objects }) => objects },
    { header: 'DRIFTED', wide: true, of: ({ drifted }) => drifted },
    { header: 'POLICY', wide: true, of: ({ automated }) => (automated ? 'automated' : 'manual') },
    { header: 'MESSAGE', flexible: true, of: remarkOf },
  ];
}

/** The one thing about an application that its status words do not say. */
function remarkOf(row: ApplicationSummary): Cell {
  if (row.deleting) return { text: 'being deleted', shade: 'changing' };
  if (row.stale) return { text: `old: the agent of ${row.cluster} is silent`, shade: 'bad' };
  if (row.held) return { text: `prunes are held back: hawser confirm ${row.id}`, shade: 'changing' };
  if (row.suspended) return { text: 'suspended', shade: 'changing' };
  const isBad = row.operation === 'Failed' || row.operation === 'Error';
  return { text: row.message ?? row.healthMessage ?? '', shade: isBad ? 'bad' : 'plain' };
}

export function clusterColumns(now: number): Column<ClusterView>[] {
  return [
    { header: 'NAME', of: ({ id, isDefault }) => `${id}${isDefault ? ' (default)' : ''}` },
    {
      header: 'AGENT',
      of: ({ connected, seenAt, revokedAt }) => {
        if (revokedAt !== undefined) return { text: 'revoked', shade: 'bad' };
        if (connected) return { text: 'connected', shade: 'good' };
        return { text: seenAt === undefined ? 'never seen' : 'silent', shade: 'bad' };
      },
    },
    { header: 'SEEN', of: ({ seenAt }) => age(seenAt, now) },
    { header: 'KUBERNETES', of: ({ kubernetesVersion }) => kubernetesVersion },
    { header: 'APPLICATIONS', of: ({ applications }) => applications },
    { header: 'OBJECTS', of: ({ objects }) => objects },
    { header: 'IDENTITY', of: ({ identity }) => identity },
    { header: 'AGE', of: ({ registeredAt }) => age(registeredAt, now) },
    { header: 'VERSION', wide: true, of: ({ agentVersion }) => agentVersion },
    {
      header: 'MEMORY',
      wide: true,
      of: ({ memoryBytes }) => (memoryBytes === undefined ? undefined : `${Math.round(memoryBytes / mebibyte)}Mi`),
    },
    { header: 'LABELS', wide: true, of: ({ labels }) => labelText(labels) },
  ];
}

export function repositoryColumns(now: number): Column<RepositoryView>[] {
  return [
    { header: 'NAME', of: ({ id }) => id },
    { header: 'URL', of: ({ url }) => url },
    { header: 'APPLICATIONS', of: ({ applications }) => applications },
    { header: 'REVISION', of: ({ lastRevision }) => shortRevision(lastRevision) },
    { header: 'SEEN', of: ({ lastSeenAt }) => age(lastSeenAt, now) },
    { header: 'CREDENTIALS', wide: true, of: ({ hasCredentials }) => (hasCredentials ? 'yes' : 'no') },
    { header: 'WEBHOOK', wide: true, of: ({ webhookPath }) => webhookPath },
    {
      header: 'STATUS',
      flexible: true,
      of: ({ error, lastSeenAt }) =>
        error === undefined
          ? {
              text: lastSeenAt === undefined ? 'not read yet' : 'ok',
              shade: lastSeenAt === undefined ? 'changing' : 'good',
            }
          : { text: error, shade: 'bad' },
    },
  ];
}

export function eventColumns(now: number): Column<EventView>[] {
  return [
    { header: 'AGE', of: ({ at }) => age(at, now) },
    { header: 'TYPE', of: ({ type }) => word(type) },
    { header: 'APPLICATION', of: ({ application }) => application },
    { header: 'REASON', of: ({ reason }) => reason },
    { header: 'REVISION', wide: true, of: ({ revision }) => shortRevision(revision) },
    { header: 'BY', wide: true, of: ({ by }) => by },
    { header: 'OBJECT', wide: true, of: ({ object }) => object },
    { header: 'MESSAGE', flexible: true, of: messageOfEvent },
  ];
}

/** `Service shop/web: it was deleted`: what happened to an object says little without its name. */
function messageOfEvent({ message, object }: EventView): string {
  const [, kind, namespace, name] = object?.split('/') ?? [];
  if (kind === undefined || name === undefined || name === '' || message.startsWith(`${kind} `)) return message;
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}: ${message}`;
}

export function gitRepositoryColumns(now: number): Column<JsonObject>[] {
  return [
    { header: 'NAMESPACE', of: (object) => metadataOf(object).namespace },
    { header: 'NAME', of: (object) => metadataOf(object).name },
    { header: 'URL', of: (object) => textAt(object, 'spec', 'url') },
    { header: 'READY', of: (object) => word(conditionOf(object, 'Ready')?.status ?? 'Unknown') },
    { header: 'AGE', of: (object) => age(metadataOf(object).created, now) },
    { header: 'STATUS', flexible: true, of: (object) => conditionOf(object, 'Ready')?.message },
  ];
}

export function projectColumns(): Column<JsonObject>[] {
  return [
    { header: 'NAME', of: (object) => metadataOf(object).name },
    { header: 'REPOSITORIES', flexible: true, of: (object) => listAt(object, 'spec', 'sourceRepos') },
    {
      header: 'DESTINATIONS',
      flexible: true,
      of: (object) => {
        const destinations = fieldOf(object, 'spec', 'destinations');
        if (!Array.isArray(destinations)) return undefined;
        return destinations.map((one) => destinationText(one as Record<string, unknown>)).join(',');
      },
    },
    { header: 'DESCRIPTION', wide: true, of: (object) => textAt(object, 'spec', 'description') },
  ];
}

/** A status word in its colour. */
export function word(text: string): Cell {
  return { text, shade: shadeOf(text) };
}

/** Seven characters of a commit; anything else as it is. */
export function shortRevision(revision: string | undefined): string | undefined {
  return revision !== undefined && /^[0-9a-f]{40,64}$/.test(revision) ? revision.slice(0, 7) : revision;
}

export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

function destinationText({ name, server, namespace }: Record<string, unknown>): string {
  return `${String(name ?? server ?? '*')}/${String(namespace ?? '*')}`;
}

function textAt(object: JsonObject, ...path: string[]): string | undefined {
  const value = fieldOf(object, ...path);
  return typeof value === 'string' ? value : undefined;
}

function listAt(object: JsonObject, ...path: string[]): string | undefined {
  const value = fieldOf(object, ...path);
  return Array.isArray(value) ? value.map(String).join(',') : undefined;
}
