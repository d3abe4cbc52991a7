import type { JsonObject } from './json.ts';

/** What the service does with an object that is handed in, or that an application renders. */
export type DeclaredRole = 'application' | 'project' | 'source' | 'settings' | 'unsupported';

const groups: Record<string, Record<string, DeclaredRole>> = {
  'argoproj.io': { Application: 'application', AppProject: 'project', ApplicationSet: 'unsupported' },
  'kustomize.toolkit.fluxcd.io': { Kustomization: 'application' },
  'source.toolkit.fluxcd.io': {
    GitRepository: 'source',
    OCIRepository: 'unsupported',
    HelmRepository: 'unsupported',
    HelmChart: 'unsupported',
    Bucket: 'unsupported',
    ExternalArtifact: 'unsupported',
  },
  'helm.toolkit.fluxcd.io': { HelmRelease: 'unsupported' },
  'notification.toolkit.fluxcd.io': { Alert: 'unsupported', Provider: 'unsupported', Receiver: 'unsupported' },
  'image.toolkit.fluxcd.io': {
    ImageRepository: 'unsupported',
    ImagePolicy: 'unsupported',
    ImageUpdateAutomation: 'unsupported',
  },
};

const settingsMaps = new Set(['argocd-cm', 'argocd-rbac-cm', 'argocd-notifications-cm']);
/** Argo CD's ConfigMaps of host keys and certificate authorities. */
const hostMaps = new Set(['argocd-ssh-known-hosts-cm', 'argocd-tls-certs-cm']);

/** The role of an object in the service; undefined for objects that belong into a cluster. */
export function declaredRole(object: JsonObject): DeclaredRole | undefined {
  const [group = '', version] = String(object['apiVersion'] ?? '').split('/');
  const kind = String(object['kind'] ?? '');
  if (version !== undefined) return groups[group]?.[kind];
  const metadata = object['metadata'] as JsonObject | undefined;
  return kind === 'ConfigMap' && settingsMaps.has(String(metadata?.['name'] ?? '')) ? 'settings' : undefined;
}

/**
 * The role of an object that a person hands in. Secrets and what is known of hosts are taken from people only: what an
 * application renders must not decide whom the service trusts, and goes into its cluster whatever its labels say.
 */
export function handedInRole(object: JsonObject): DeclaredRole | 'credentials' | 'hosts' | undefined {
  if (object['apiVersion'] === 'v1' && object['kind'] === 'Secret') return 'credentials';
  const metadata = object['metadata'] as JsonObject | undefined;
  const isHosts =
    object['apiVersion'] === 'v1' && object['kind'] === 'ConfigMap' && hostMaps.has(String(metadata?.['name'] ?? ''));
  return isHosts ? 'hosts' : declaredRole(object);
}
