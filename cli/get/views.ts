import type { JsonObject } from '#shared/domain/json.ts';
import type { ApplicationSummary, ClusterView, EventView, RepositoryView, StreamEvent } from '#shared/messages/api.ts';
import type { Client } from '../client.ts';
import { refused } from '../failure.ts';
import type { KindName } from '../kinds.ts';
import { nearest } from '../near.ts';
import type { Column } from '../output/table.ts';
import { oneLine } from '../output/escape.ts';
import {
  applicationColumns,
  clusterColumns,
  eventColumns,
  gitRepositoryColumns,
  projectColumns,
  repositoryColumns,
} from './columns.ts';
import { applicationObjects, declaredObjects, labelsOf, metadataOf } from './declared.ts';
import { listApplications, matching } from '../find-application.ts';

/** What `get` was asked to leave. */
export interface Filter {
  names: readonly string[];
  namespace: string | undefined;
  labels: ((labels: Readonly<Record<string, string>>) => boolean) | undefined;
  /** Exactly one was named: `-o json` prints it by itself, not as a list. */
  single: boolean;
}

/** How `get` reads and shows one kind. */
export interface View<Row> {
  plural: KindName;
  read(client: Client, filter: Filter): Promise<Row[]>;
  columns(rows: readonly Row[], now: number): Column<Row>[];
  /** Stable over time, for `--watch`. */
  key(row: Row): string;
  /** What `-o name` prints. */
  name(row: Row): string;
  /** What `-o json` and `-o yaml` print. */
  objects(client: Client, rows: readonly Row[]): Promise<unknown[]>;
  concerns(event: StreamEvent): boolean;
}

/** The view of a kind, its row type forgotten: whoever prints needs only that it is the same throughout. */
export function viewOf(kind: KindName): View<unknown> {
  return views[kind] as View<unknown>;
}

const isApplicationEvent = (event: StreamEvent): boolean => event.type !== 'cluster';

const views = {
  applications: applicationView('applications', undefined),
  kustomizations: applicationView('kustomizations', 'Kustomization'),
  gitrepositories: declaredView(
    'gitrepositories',
    'GitRepository',
    'gitrepository.source.toolkit.fluxcd.io',
    gitRepositoryColumns,
  ),
  appprojects: declaredView('appprojects', 'AppProject', 'appproject.argoproj.io', projectColumns),
  clusters: {
    plural: 'clusters',
    async read(client, filter) {
      const { items } = await client.get<{ items: ClusterView[] }>('/api/v1/clusters');
      const found = items.filter(({ labels }) => filter.labels?.(labels) ?? true);
      return named(
        found,
        filter,
        'cluster',
        (row, typed) => row.id === typed,
        ({ id }) => id,
      );
    },
    columns: (_rows, now) => clusterColumns(now),
    key: ({ id }) => id,
    name: ({ id }) => `cluster/${id}`,
    objects: async (_client, rows) => [...rows],
    concerns: () => true,
  } satisfies View<ClusterView>,
  repositories: {
    plural: 'repositories',
    async read(client, filter) {
      const { items } = await client.get<{ items: RepositoryView[] }>('/api/v1/repositories');
      return named(
        items,
        filter,
        'repository',
        (row, typed) => row.id === typed || row.url === typed,
        ({ id }) => id,
      );
    },
    columns: (_rows, now) => repositoryColumns(now),
    key: ({ id }) => id,
    name: ({ id }) => `repository/${id}`,
    objects: async (_client, rows) => [...rows],
    concerns: isApplicationEvent,
  } satisfies View<RepositoryView>,
  events: {
    plural: 'events',
    async read(client, filter) {
      const { items } = await client.get<{ items: EventView[] }>('/api/v1/events', { limit: 200 });
      const found =
        filter.names.length === 0 ? items : items.filter(({ application }) => filter.names.includes(application));
      return found.toReversed();
    },
    columns: (_rows, now) => eventColumns(now),
    key: eventKey,
    name: ({ application, reason }) => `${application}/${reason}`,
    objects: async (_client, rows) => [...rows],
    concerns: isApplicationEvent,
  } satisfies View<EventView>,
};

/** What makes an event the same event when it is read again. */
export function eventKey({ at, application, reason, message, object }: EventView): string {
  return JSON.stringify([at, application, reason, message, object]);
}

function applicationView(plural: KindName, kind: ApplicationSummary['kind'] | undefined): View<ApplicationSummary> {
  return {
    plural,
    async read(client, filter) {
      const all = await listApplications(client, { kind });
      const inNamespace = all.filter(
        ({ namespace }) => filter.namespace === undefined || namespace === filter.namespace,
      );
      const found = await withLabels(client, inNamespace, filter);
      return named(
        found,
        filter,
        'application',
        (row, typed) => matching([row], typed).length > 0,
        ({ name }) => name,
      );
    },
    columns: applicationColumns,
    key: ({ id }) => id,
    name: ({ kind: own, name }) =>
      own === 'Application' ? `application.argoproj.io/${name}` : `kustomization.kustomize.toolkit.fluxcd.io/${name}`,
    objects: applicationObjects,
    concerns: isApplicationEvent,
  };
}

async function withLabels(
  client: Client,
  rows: readonly ApplicationSummary[],
  filter: Filter,
): Promise<ApplicationSummary[]> {
  const { labels } = filter;
  if (labels === undefined) return [...rows];
  const objects = await applicationObjects(client, rows);
  return rows.filter((_, index) => labels(labelsOf(objects[index] ?? {})));
}

function declaredView(
  plural: KindName,
  kind: string,
  singular: string,
  columns: (now: number) => Column<JsonObject>[],
): View<JsonObject> {
  return {
    plural,
    async read(client, filter) {
      const all = await declaredObjects(client, kind, filter.namespace);
      const found = all.filter((object) => filter.labels?.(labelsOf(object)) ?? true);
      const isNamed = (object: JsonObject, typed: string): boolean => {
        const { name, namespace } = metadataOf(object);
        return typed === name || typed === `${namespace}/${name}`;
      };
      return named(found, filter, kind, isNamed, (object) => metadataOf(object).name);
    },
    columns: (_rows, now) => columns(now),
    key: (object) => `${metadataOf(object).namespace}/${metadataOf(object).name}`,
    name: (object) => `${singular}/${metadataOf(object).name}`,
    objects: async (_client, rows) => [...rows],
    concerns: isApplicationEvent,
  };
}

/** The rows that were asked for by name; refused, with near names, where one of them does not exist. */
function named<Row>(
  rows: readonly Row[],
  { names }: Filter,
  what: string,
  isMeant: (row: Row, typed: string) => boolean,
  nameOf: (row: Row) => string,
): Row[] {
  if (names.length === 0) return [...rows];
  return [
    ...new Set(
      names.flatMap((typed) => {
        const found = rows.filter((row) => isMeant(row, typed));
        if (found.length > 0) return found;
        const near = nearest(typed.split('/').at(-1) ?? typed, rows.map(nameOf));
        throw refused(
          `there is no ${what} ${JSON.stringify(typed)}`,
          near.length > 0 ? `Did you mean ${near.map(oneLine).join(' or ')}?` : undefined,
        );
      }),
    ),
  ];
}
