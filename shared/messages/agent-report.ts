import { z } from 'zod';
import { healthStatuses } from '../domain/status.ts';

const Id = { group: z.string(), version: z.string(), kind: z.string(), namespace: z.string(), name: z.string() };
const SyncState = z.enum(['Synced', 'OutOfSync', 'Unknown']);
const Health = z.object({ status: z.enum(healthStatuses), message: z.string().max(4096).optional() });

const Resource = z.object({
  ...Id,
  status: SyncState,
  health: Health.optional(),
  requiresPruning: z.boolean().optional(),
  hook: z.string().optional(),
  syncWave: z.number().optional(),
});

const Result = z.object({
  ...Id,
  status: z.enum(['Synced', 'SyncFailed', 'Pruned', 'PruneSkipped']),
  message: z.string().max(4096),
  action: z.enum(['created', 'configured', 'unchanged', 'deleted', 'skipped', 'failed']),
  phase: z.enum(['PreSync', 'Sync', 'PostSync', 'SyncFail', 'PostDelete']),
  hookType: z.string().optional(),
});

const Operation = z.object({
  phase: z.enum(['Running', 'Terminating', 'Failed', 'Error', 'Succeeded']),
  message: z.string().max(8192),
  generation: z.number().int(),
  revision: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().optional(),
  initiatedBy: z.object({ username: z.string().optional(), automated: z.boolean().optional() }),
  retryCount: z.number().int(),
  resources: z.array(Result).max(10_000),
});

const Drift = z.object({
  ...Id,
  change: z.enum(['modified', 'deleted']),
  fields: z.array(z.object({ path: z.string(), desired: z.string().optional(), live: z.string().optional() })).max(50),
  seenAt: z.string(),
  correctedAt: z.string().optional(),
  note: z.string().optional(),
});

const Condition = z.object({ type: z.string(), message: z.string().max(8192), lastTransitionTime: z.string() });

/** The whole state of one application as the agent sees it. Sent when it changed. */
export const ApplicationReport = z.object({
  application: z.string(),
  /** Newest generation that was taken in; `sync.generation` is the one that is applied. */
  generation: z.number().int(),
  sync: z.object({ status: SyncState, revision: z.string().optional(), generation: z.number().int().optional() }),
  health: Health,
  operation: Operation.optional(),
  /** All objects; absent when the list is as it was in the last report. */
  resources: z.array(Resource).max(10_000).optional(),
  drift: z.array(Drift).max(200),
  conditions: z.array(Condition).max(50),
  hold: z
    .object({ guards: z.array(z.string()), listDigest: z.string(), objects: z.array(z.string()), reason: z.string() })
    .optional(),
  images: z.array(z.string()).max(500).optional(),
  events: z
    .array(
      z.object({
        at: z.string(),
        type: z.enum(['Normal', 'Warning']),
        reason: z.string(),
        message: z.string().max(4096),
        generation: z.number().int().optional(),
        object: z.string().optional(),
      }),
    )
    .max(200),
  /** Set once a deletion order has been carried out: the service may forget the application. */
  deleted: z.boolean().optional(),
});
export type ApplicationReport = z.infer<typeof ApplicationReport>;

/** One report of one agent. Which organisation and cluster it speaks for comes from its credentials, never from here (INV-34). */
export const AgentReport = z.object({
  format: z.literal(1),
  /** New at every start of the agent; with `sequence` it orders reports (INV-31). Sortable: starts with the start time. */
  epoch: z.string(),
  sequence: z.number().int().nonnegative(),
  agentVersion: z.string(),
  /** Version of the cluster's HEAD that has been taken in. */
  version: z.number().int().nonnegative(),
  applications: z.array(ApplicationReport).max(200),
  /** Applications whose roots came with a certificate that has ended: sign them again. */
  renew: z.array(z.string()).max(500).optional(),
  heartbeat: z.object({
    /** Digest over (application, digest of its last report) of all applications: the service asks for all when it differs. */
    digest: z.string(),
    applications: z.number().int(),
    objects: z.number().int(),
    memoryBytes: z.number().int(),
  }),
  capabilities: z
    .object({
      kubernetesVersion: z.string(),
      uid: z.string(),
      kinds: z.array(
        z.object({
          group: z.string(),
          version: z.string(),
          kind: z.string(),
          plural: z.string(),
          namespaced: z.boolean(),
        }),
      ),
    })
    .optional(),
});
export type AgentReport = z.infer<typeof AgentReport>;

const sender = { organisation: z.string(), cluster: z.string(), receivedAt: z.string() };

/**
 * A report on the queue, with who sent it as the service authenticated it. One that is too large for a message lies in the
 * chunk store, among the chunks of the cluster; the message then names its digest.
 */
export const ReceivedReport = z.union([
  z.object({ ...sender, report: AgentReport }),
  z.object({ ...sender, stored: z.string() }),
]);
export type ReceivedReport = z.infer<typeof ReceivedReport>;

/** A received report with its content at hand. */
export type OpenedReport = Extract<ReceivedReport, { report: unknown }>;
