import type { AgentIdentity } from '#shared/domain/cluster.ts';

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

const chart = 'agent/chart';

/**
 * The one command that installs an agent, or installs it anew. Every value is written as JSON and the whole argument is
 * quoted for the shell: neither a name nor an address can become another value or another command (NT-150).
 */
export function installCommand(values: AgentValues): string {
  return [
    `helm upgrade --install hawser-agent ${chart} --namespace hawser-system --create-namespace`,
    ...Object.entries(values).map(([name, value]) => `--set-json ${quoted(`${name}=${JSON.stringify(value)}`)}`),
  ].join(' \\\n  ');
}

/** One word for any POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
