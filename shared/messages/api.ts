import { z } from 'zod';
import { agentIdentities } from '../domain/cluster.ts';
import { healthStatuses } from '../domain/status.ts';

/** What the HTTP API answers: the dashboard and the CLI are clients of exactly these. Times are ISO 8601. */

export const Commit = z
  .object({ sha: z.string(), author: z.string(), email: z.string(), message: z.string(), time: z.string() })
  .meta({ ref: 'Commit' });

const HealthState = z.object({ status: z.enum(healthStatuses), message: z.string().optional() });
const SyncState = z.enum(['Synced', 'OutOfSync', 'Unknown']);

export const ApplicationSummary = z
  .object({
    id: z.string(),
    kind: z.enum(['Application', 'Kustomization']),
    name: z.string(),
    namespace: z.string(),
    project: z.string(),
    cluster: z.string(),
    destinationNamespace: z.string(),
    repository: z.string(),
    path: z.string(),
    targetRevision: z.string(),
    sync: SyncState,
    health: z.enum(healthStatuses),
    healthMessage: z.string().optional(),
    /** What is applied. */
    revision: z.string().optional(),
    /** What is desired: newest published generation. */
    generation: z.number().optional(),
    commit: Commit.optional(),
    /** One line: the error or condition that matters most. */
    message: z.string().optional(),
    operation: z.enum(['Running', 'Terminating', 'Failed', 'Error', 'Succeeded']).optional(),
    suspended: z.boolean(),
    automated: z.boolean(),
    /** Number of objects, and of those with open drift. */
    objects: z.number(),
    drifted: z.number(),
    held: z.boolean(),
    /** The agent has not been heard for three heartbeats: what is shown is old. */
    stale: z.boolean(),
    parent: z.string().optional(),
    updatedAt: z.string(),
    deleting: z.boolean(),
    /** Its declaration cannot be, for now: `message` says why. */
    invalid: z.boolean().optional(),
  })
  .meta({ ref: 'ApplicationSummary' });
export type ApplicationSummary = z.infer<typeof ApplicationSummary>;

export const ApplicationList = z
  .object({
    items: z.array(ApplicationSummary),
    /** Opaque; pass as `cursor` for what follows. */
    next: z.string().optional(),
    /** Of all that match, not only this page. */
    total: z.number(),
    counts: z.object({
      health: z.record(z.string(), z.number()),
      sync: z.record(z.string(), z.number()),
      clusters: z.record(z.string(), z.number()),
      projects: z.record(z.string(), z.number()),
    }),
  })
  .meta({ ref: 'ApplicationList' });
export type ApplicationList = z.infer<typeof ApplicationList>;

const ObjectIdentity = {
  group: z.string(),
  version: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
};

export const ResourceView = z
  .object({
    ...ObjectIdentity,
    key: z.string(),
    status: SyncState,
    health: HealthState.optional(),
    requiresPruning: z.boolean().optional(),
    hook: z.string().optional(),
    syncWave: z.number().optional(),
  })
  .meta({ ref: 'Resource' });
export type ResourceView = z.infer<typeof ResourceView>;

export const DriftView = z
  .object({
    ...ObjectIdentity,
    key: z.string(),
    change: z.enum(['modified', 'deleted']),
    fields: z.array(z.object({ path: z.string(), desired: z.string().optional(), live: z.string().optional() })),
    seenAt: z.string(),
    correctedAt: z.string().optional(),
    note: z.string().optional(),
  })
  .meta({ ref: 'Drift' });
export type DriftView = z.infer<typeof DriftView>;

const ConditionView = z.object({ type: z.string(), message: z.string(), lastTransitionTime: z.string() });

export const OperationView = z
  .object({
    phase: z.enum(['Running', 'Terminating', 'Failed', 'Error', 'Succeeded']),
    message: z.string(),
    generation: z.number(),
    revision: z.string(),
    startedAt: z.string(),
    finishedAt: z.string().optional(),
    initiatedBy: z.object({ username: z.string().optional(), automated: z.boolean().optional() }),
    retryCount: z.number(),
    resources: z.array(
      z.object({
        ...ObjectIdentity,
        status: z.string(),
        message: z.string(),
        action: z.string(),
        phase: z.string(),
        hookType: z.string().optional(),
      }),
    ),
  })
  .meta({ ref: 'Operation' });

export const ApplicationDetail = ApplicationSummary.extend({
  /** The object as declared, with `status` in the shape of its own kind. */
  declared: z.record(z.string(), z.unknown()),
  resources: z.array(ResourceView),
  drift: z.array(DriftView),
  conditions: z.array(ConditionView),
  operationState: OperationView.optional(),
  hold: z
    .object({ guards: z.array(z.string()), listDigest: z.string(), objects: z.array(z.string()), reason: z.string() })
    .optional(),
  images: z.array(z.string()),
  desired: z
    .object({
      generation: z.number(),
      revision: z.string(),
      commit: Commit.optional(),
      publishedAt: z.string(),
      objectCount: z.number(),
    })
    .optional(),
  dependsOn: z.array(z.string()),
  children: z.array(z.string()),
  /** Ticket of the newest plan whose word about the application is final: published, unchanged, or failed with a condition. */
  plannedTicket: z.number().optional(),
  reportedAt: z.string().optional(),
}).meta({ ref: 'ApplicationDetail' });
export type ApplicationDetail = z.infer<typeof ApplicationDetail>;

export const EventView = z
  .object({
    at: z.string(),
    type: z.enum(['Normal', 'Warning']),
    reason: z.string(),
    message: z.string(),
    generation: z.number().optional(),
    revision: z.string().optional(),
    object: z.string().optional(),
    by: z.string().optional(),
    application: z.string(),
  })
  .meta({ ref: 'Event' });
export type EventView = z.infer<typeof EventView>;
export const EventList = z
  .object({ items: z.array(EventView), next: z.string().optional() })
  .meta({ ref: 'EventList' });

export const HistoryView = z
  .object({
    id: z.number(),
    generation: z.number(),
    revision: z.string(),
    commit: Commit.optional(),
    publishedAt: z.string(),
    deployedAt: z.string().optional(),
    initiatedBy: z.string(),
    objectCount: z.number(),
    rollbackOf: z.number().optional(),
    /** The one that is desired now. */
    current: z.boolean(),
  })
  .meta({ ref: 'HistoryEntry' });
export type HistoryView = z.infer<typeof HistoryView>;
export const HistoryList = z.object({ items: z.array(HistoryView) }).meta({ ref: 'HistoryList' });

/** The resource tree: declared resources, and what they own in the cluster as the agent just answered. */
export const TreeView = z
  .object({
    resources: z.array(ResourceView.extend({ uid: z.string().optional() })),
    nodes: z.array(
      z.object({
        ...ObjectIdentity,
        uid: z.string(),
        owners: z.array(z.string()),
        health: z.object({ status: z.string(), message: z.string().optional() }).optional(),
        createdAt: z.string().optional(),
        info: z.string().optional(),
      }),
    ),
    /** False when the agent did not answer in time: only `resources` is filled, and `error` says why. */
    live: z.boolean(),
    error: z.string().optional(),
  })
  .meta({ ref: 'Tree' });
export type TreeView = z.infer<typeof TreeView>;

/** One object desired and live, Secrets masked on both sides. */
export const ResourceDetail = z
  .object({
    key: z.string(),
    desired: z.unknown().optional(),
    live: z.unknown().optional(),
    differences: z.array(z.object({ path: z.string(), desired: z.string().optional(), live: z.string().optional() })),
    error: z.string().optional(),
  })
  .meta({ ref: 'ResourceDetail' });
export type ResourceDetail = z.infer<typeof ResourceDetail>;

export const ClusterView = z
  .object({
    id: z.string(),
    labels: z.record(z.string(), z.string()),
    registeredAt: z.string(),
    kubernetesVersion: z.string().optional(),
    agentVersion: z.string().optional(),
    seenAt: z.string().optional(),
    connected: z.boolean(),
    applications: z.number(),
    objects: z.number(),
    memoryBytes: z.number().optional(),
    isDefault: z.boolean(),
    /** How its agent proves who it is. */
    identity: z.enum(agentIdentities),
    /** Since then nothing of its agent is let in. */
    revokedAt: z.string().optional(),
    /** A registration token is waiting to be used until then. */
    registrationExpiresAt: z.string().optional(),
  })
  .meta({ ref: 'Cluster' });
export type ClusterView = z.infer<typeof ClusterView>;

/** What is shown once, when a cluster is added or its registration renewed. */
export const ClusterInstall = z
  .object({
    cluster: ClusterView,
    /** For `service-account`: good once, until `expiresAt`. */
    registration: z.object({ token: z.string(), expiresAt: z.string() }).optional(),
    /** For `static`: good until the cluster is removed. */
    token: z.string().optional(),
    /** The command that installs the agent. */
    install: z.string(),
    /** The same as values of the agent's chart. */
    values: z.record(z.string(), z.unknown()),
  })
  .meta({ ref: 'ClusterInstall' });
export type ClusterInstall = z.infer<typeof ClusterInstall>;

export const RepositoryView = z
  .object({
    id: z.string(),
    url: z.string(),
    applications: z.number(),
    lastRevision: z.string().optional(),
    /** When something new was seen last; a quiet repository keeps it for long. */
    lastSeenAt: z.string().optional(),
    /** When it was last asked for without a push having been announced. */
    lastPolledAt: z.string().optional(),
    error: z.string().optional(),
    /** What kind of trouble it is: `revision-not-found`, `repository-unreachable` … */
    errorCode: z.string().optional(),
    /** When that began. */
    errorSince: z.string().optional(),
    hasCredentials: z.boolean(),
    /** Paths below the service's URL, by provider. */
    webhookPath: z.string(),
  })
  .meta({ ref: 'Repository' });
export type RepositoryView = z.infer<typeof RepositoryView>;

export const ProjectView = z
  .object({ name: z.string(), declared: z.record(z.string(), z.unknown()) })
  .meta({ ref: 'Project' });

export const QueueView = z
  .object({ name: z.string(), ready: z.number(), inFlight: z.number(), delayed: z.number(), dead: z.number() })
  .meta({ ref: 'Queue' });

/** RFC 9457. `type` is `/problems/<code>`; `hint` says what to do. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    hint: z.string().optional(),
    instance: z.string().optional(),
  })
  .meta({ ref: 'Problem' });
export type Problem = z.infer<typeof Problem>;

/** Events of `/api/v1/stream` (SSE): `event:` is the type, `data:` this as JSON. */
export const StreamEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('application'), application: ApplicationSummary }),
  z.object({ type: z.literal('removed'), id: z.string() }),
  z.object({ type: z.literal('cluster'), cluster: ClusterView }),
  /** More has changed than can be told: read anew what is shown. */
  z.object({ type: z.literal('reload') }),
  /** The answer ends by intent, where streams cannot be held; whoever comes back with `Last-Event-ID` has missed nothing. */
  z.object({ type: z.literal('pause') }),
]);
export type StreamEvent = z.infer<typeof StreamEvent>;
