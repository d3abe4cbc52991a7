import type { AgentIdentity } from '#shared/domain/cluster.ts';
import type { ClusterInstall } from '#shared/messages/api.ts';

/** Values of the agent's chart. */
export interface AgentValues {
  server: string;
  organisation: string;
  cluster: string;
  rootKey: string;
  identity: AgentIdentity;
  registration?: { token: string };
  token?: string;
  aws?: AgentAddresses;
}

/** Where an agent that has a role of its own finds the service's rows and queues. */
export interface AgentAddresses {
  region: string;
  table: string;
  cipherKey: string;
  wakeQueue: string;
  mailQueue: string;
  /** Of the role that the agent's ServiceAccount is annotated with (`irsa`). */
  roleArn?: string;
}

/** Values of the chart that say how the agent gets out of a closed network; the service never learns them. */
export interface AgentNetwork {
  proxy?: {
    /** Ways to https and to http addresses. Neither stands beside `secret`. */
    https?: string;
    http?: string;
    noProxy?: string[];
    /** A Secret in the cluster that holds the addresses instead, and the ports that they have. */
    secret?: string;
    ports?: number[];
  };
  /** Certificates (PEM) of private authorities. */
  caBundle?: string;
}

const chart = 'agent/chart';

/**
 * The one command that installs an agent, or installs it anew. Every value is written as JSON and the whole argument is
 * quoted for the shell: neither a name nor an address can become another value or another command (NT-150).
 */
export function installCommand(values: AgentValues): string {
  return joined([
    `helm upgrade --install hawser-agent ${chart} --namespace hawser-system --create-namespace`,
    ...settings(values),
  ]);
}

/** The same installation with the way out of the agent's network added: to the command, and to the values. */
export function withNetwork(added: ClusterInstall, network: AgentNetwork): ClusterInstall {
  return {
    ...added,
    install: joined([added.install, ...settings(network)]),
    values: { ...added.values, ...network },
  };
}

function settings(values: AgentValues | AgentNetwork): string[] {
  return Object.entries(values).map(([name, value]) => `--set-json ${quoted(`${name}=`, value)}`);
}

function joined(parts: string[]): string {
  return parts.join(' \\\n  ');
}

/**
 * One word for POSIX shells, fish and csh: what any of them looks at between single quotes (the quote itself, a backslash before
 * a backslash, an exclamation mark) is written by its number, which JSON allows.
 */
function quoted(name: string, value: unknown): string {
  const json = JSON.stringify(value).replaceAll(/\\\\|['!]/g, (found) =>
    found === "'" ? '\\u0027' : found === '!' ? '\\u0021' : '\\u005c',
  );
  return `'${name}${json}'`;
}
