import { sha256 } from './digest.ts';

/** Name of a cluster's wake queue, without the deployment's prefix: ids may be longer than a queue's name (80 characters). */
export function wakeQueueName(organisation: string, cluster: string): string {
  return `wake-${clusterHash(organisation, cluster)}`;
}

/** Name of an agent's session, which the queue reports as its sender; at most 64 characters. */
export function sessionName(organisation: string, cluster: string): string {
  return clusterHash(organisation, cluster);
}

/** `/` is in no id, so two clusters never share it. */
function clusterHash(organisation: string, cluster: string): string {
  return sha256(`${organisation}/${cluster}`).slice(0, 32);
}
