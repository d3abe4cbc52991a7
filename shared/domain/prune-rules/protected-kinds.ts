import type { ObjectId } from '../kube-object.ts';
import { agentNamespace } from '../tracking.ts';

/** Kinds whose deletion takes other things with it, by `group/Kind` (G-04). */
const protectedKinds = new Set([
  '/Namespace',
  '/PersistentVolume',
  '/PersistentVolumeClaim',
  'apiextensions.k8s.io/CustomResourceDefinition',
  'storage.k8s.io/StorageClass',
  'apiregistration.k8s.io/APIService',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'argoproj.io/Application',
  'argoproj.io/ApplicationSet',
  'argoproj.io/AppProject',
]);

/** Groups whose objects stand for infrastructure: Crossplane, ACK, ASO, Config Connector, Cluster API, Karpenter, Flux. */
const protectedGroups = [
  'crossplane.io',
  'upbound.io',
  'services.k8s.aws',
  'azure.com',
  'cnrm.cloud.google.com',
  'cluster.x-k8s.io',
  'karpenter.sh',
  'karpenter.k8s.aws',
  'toolkit.fluxcd.io',
  'fluxcd.controlplane.io',
];

/** True for what is never pruned without somebody's word. A definition without instances (a counted 0) takes nothing along. */
export function isProtected(id: ObjectId, instances?: number): boolean {
  if (id.kind === 'CustomResourceDefinition' && instances === 0) return false;
  if (protectedKinds.has(`${id.group}/${id.kind}`)) return true;
  if (protectedGroups.some((group) => id.group === group || id.group.endsWith(`.${group}`))) return true;
  return isAgentsOwn(id);
}

/** The agent's own objects: without them it could not undo what it did. */
function isAgentsOwn(id: ObjectId): boolean {
  if (id.namespace === agentNamespace) return true;
  return (id.kind === 'ClusterRole' || id.kind === 'ClusterRoleBinding') && /^hawser(?:-|$)/.test(id.name);
}
