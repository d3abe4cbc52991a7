import type { ClusterCapabilities } from './cluster.ts';
import type { ObjectId } from './kube-object.ts';

/** Cluster-scoped kinds of Kubernetes itself, for clusters whose agent has not reported yet. */
const clusterScoped = new Set([
  '/Namespace',
  '/Node',
  '/PersistentVolume',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
  'storage.k8s.io/StorageClass',
  'storage.k8s.io/CSIDriver',
  'storage.k8s.io/CSINode',
  'storage.k8s.io/VolumeAttachment',
  'scheduling.k8s.io/PriorityClass',
  'node.k8s.io/RuntimeClass',
  'networking.k8s.io/IngressClass',
  'apiextensions.k8s.io/CustomResourceDefinition',
  'apiregistration.k8s.io/APIService',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy',
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
  'certificates.k8s.io/CertificateSigningRequest',
  'flowcontrol.apiserver.k8s.io/FlowSchema',
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration',
]);

/** Groups that Kubernetes itself serves: what is not listed above is namespaced there. */
const builtInGroups = /^$|^apps$|^batch$|^autoscaling$|^policy$|\.k8s\.io$/;

/** Whether a kind lives in namespaces; undefined when nobody knows. The cluster's word comes first. */
export function isNamespaced(
  id: Pick<ObjectId, 'group' | 'kind'>,
  capabilities: ClusterCapabilities | undefined,
  definedHere: ReadonlyMap<string, boolean>,
): boolean | undefined {
  const kind = `${id.group}/${id.kind}`;
  const reported = capabilities?.kinds.find((known) => known.group === id.group && known.kind === id.kind);
  if (reported) return reported.namespaced;
  const defined = definedHere.get(kind);
  if (defined !== undefined) return defined;
  if (clusterScoped.has(kind)) return false;
  return builtInGroups.test(id.group) ? true : undefined;
}

/** True where a cluster by now says of a kind (`group/Kind`) what had to be guessed. */
export function isAnyLearned(
  guessed: readonly string[] | undefined,
  capabilities: ClusterCapabilities | undefined,
): boolean {
  return (guessed ?? []).some((text) => {
    const [group = '', kind = ''] = text.split('/');
    return isNamespaced({ group, kind }, capabilities, new Map()) !== undefined;
  });
}
