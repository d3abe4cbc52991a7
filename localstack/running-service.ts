import type { Log } from '#shared/ports/log.ts';
import type { SecretStore } from '#shared/ports/secret-store.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import type { Terminal } from './terminal.ts';

/** A running service, whatever its adapters: what the Git host, clusters, agents and demo around it need. */
export interface RunningService {
  url: string;
  store: StateStore;
  secrets: SecretStore;
  /** Public half of an organisation's root key, as agents pin it. */
  rootPublicKey(organisation: string): Promise<string>;
  /** The default project and an admin's token; `remembered` is one of an earlier start, which goes on if it holds. */
  prepare(remembered: string | undefined): Promise<string>;
  /** Makes a cluster known and gives what its agent proves that with; `remembered`: its token, as above. */
  register(
    cluster: { name: string; server: string; kubeconfig: string },
    remembered: string | undefined,
  ): Promise<AgentAccess>;
  /** What people must do before the page shows anything; absent where opening it is enough. */
  signIn?: string;
  /** Whether the next start goes on from where this one ended. */
  lasting: boolean;
  stop(): Promise<void>;
}

/** How a cluster's agent proves which cluster it speaks for. */
export interface AgentAccess {
  /** Variables of its process. */
  environment: Readonly<Record<string, string>>;
  /** What the next start may find again. */
  token?: string;
}

/** What a service is started with. */
export interface ServiceStart {
  /** What this start and the next ones keep. */
  dataDir: string;
  /** 0 picks a free one. */
  port: number;
  organisation: string;
  /** Secret with which webhooks of newly registered repositories are signed. */
  webhookSecret: string;
  /** Where unpacked tools are kept between runs. */
  cacheDir: string;
  /** Kustomize's own binary; optional. */
  kustomize?: string;
  /** Folder of the built dashboard. */
  dashboard: string;
  /** Emulators that run already; absent: a service that needs some starts them. */
  emulators?: { dynamodb: string; localstack: string };
  verbose: boolean;
  log: Log;
  /** For the steps of the start. */
  terminal: Terminal;
  signal: AbortSignal;
}

/** Starts a service; throws with what, where and what to do, and nothing of it is left running then. */
export type StartService = (start: ServiceStart) => Promise<RunningService>;
