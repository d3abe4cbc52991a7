import type { Context } from 'hono';
import { HawserError } from '#shared/errors.ts';
import type { Application } from '#shared/domain/application.ts';
import type { Bell } from '#shared/ports/bell.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Metrics } from '#shared/ports/metrics.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { SecretStore } from '#shared/ports/secret-store.ts';
import type { Signer } from '#shared/ports/signer.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { SnapshotChunks } from '#shared/state/chunks.ts';
import { getApplication } from '#shared/state/registry.ts';
import type { Mailbox } from './mailbox.ts';

export interface ApiDeps {
  store: StateStore;
  secrets: SecretStore;
  snapshots: SnapshotChunks;
  signer: Signer;
  hints: Queue;
  publishJobs: Queue;
  reports: Queue;
  /** All queues of the flow by name, for `hawser queues`. */
  queues: ReadonlyMap<string, Queue>;
  bell: Bell;
  mailbox: Mailbox;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  version: string;
  /** Text of `/metrics`. */
  metricsText(): Promise<{ text: string; contentType: string }>;
  defaultCluster(organisation: string): Promise<string>;
  /** Webhook secret of newly registered repositories; random when absent. */
  webhookSecret?: string;
  /** Where the dashboard's built files lie; absent: no page. */
  dashboard?: string;
  /** False where a request costs while it waits, and answers cannot be streamed: polls and streams are then answered at once. */
  holdsRequests?: boolean;
  /** Where clusters have queues of their own to be woken by: made and removed with the cluster. */
  wakeQueues?: WakeQueuesOfClusters;
  /** Public base URL of the service; absent: the one by which a request came. */
  url?: string;
  /** Where agents that have an IAM role of their own find rows and queues; absent: there is no such way in. */
  directAccess?: {
    region: string;
    table: string;
    /** ARN, id or alias. */
    cipherKey: string;
    /** URLs. */
    wakeQueue(organisation: string, cluster: string): string;
    mailQueue: string;
  };
  /** On loopback with one user: a page that is opened gets a session without a login. */
  loopbackSession?: { organisation: string; user: string };
}

/** Both do nothing where it is done already. */
export interface WakeQueuesOfClusters {
  create(organisation: string, cluster: string): Promise<void>;
  remove(organisation: string, cluster: string): Promise<void>;
}

/** Who is asking, as authenticated: tenant and cluster ids come from here, never from a body (INV-34). */
export type Principal = User | { kind: 'agent'; organisation: string; cluster: string };

export interface User {
  kind: 'user';
  organisation: string;
  user: string;
  role: 'admin' | 'viewer';
  viaCookie: boolean;
  /** Of the token that they showed, or that opened their session; absent where a page on loopback did. */
  tokenDigest?: string;
}

export interface ApiEnv {
  Variables: { principal: Principal };
}

export type ApiContext = Context<ApiEnv>;

/** The person who asks; agents get `forbidden`. */
export function requireUser(c: ApiContext): User {
  const principal = c.get('principal');
  if (principal.kind === 'user') return principal;
  throw new HawserError('forbidden', 'this token belongs to an agent and cannot be used here');
}

/** The person who wants to change something; viewers get `forbidden`. */
export function requireAdmin(c: ApiContext): User {
  const user = requireUser(c);
  if (user.role === 'admin') return user;
  throw new HawserError('forbidden', `${user.user} may look but not change anything`, {
    hint: 'Ask for a token with the role admin.',
  });
}

/** The agent that asks; people get `forbidden`. */
export function requireAgent(c: ApiContext): Extract<Principal, { kind: 'agent' }> {
  const principal = c.get('principal');
  if (principal.kind === 'agent') return principal;
  throw new HawserError('forbidden', 'only agents may use this');
}

/** The application of the path, or `not-found`. */
export async function requireApplication(deps: ApiDeps, organisation: string, id: string): Promise<Application> {
  const application = await getApplication(deps.store, organisation, id);
  if (application) return application;
  throw new HawserError('not-found', `there is no application ${JSON.stringify(id.slice(0, 80))}`, {
    hint: 'See `hawser get applications`.',
  });
}

/** Where the service is for others: as it was configured, else where this request found it. */
export function originOf(deps: Pick<ApiDeps, 'url'>, c: ApiContext): string {
  return deps.url ?? new URL(c.req.url).origin;
}

export function isoNow(deps: ApiDeps): string {
  return new Date(deps.clock.now()).toISOString();
}
