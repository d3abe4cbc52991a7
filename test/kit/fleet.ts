import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Namespace of the fleet's objects. */
export const fleetNamespace = 'fleet';

/** Name of an application of a fleet, `app-0007`. */
export function fleetName(index: number): string {
  return `app-${String(index).padStart(4, '0')}`;
}

/** Writes one application's folder: a kustomization and four small objects, as in the peers' measurements. */
export async function writeFleetFolder(work: string, name: string, value: string): Promise<void> {
  const folder = join(work, 'apps', name);
  await mkdir(folder, { recursive: true });
  await Promise.all([
    writeFile(
      join(folder, 'kustomization.yaml'),
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - config.yaml\n  - extra.yaml\n  - account.yaml\n  - service.yaml\n',
    ),
    writeFile(join(folder, 'config.yaml'), configMap(name, value)),
    writeFile(join(folder, 'extra.yaml'), configMap(`${name}-extra`, 'fixed')),
    writeFile(join(folder, 'account.yaml'), `apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: ${name}\n`),
    writeFile(
      join(folder, 'service.yaml'),
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  selector:\n    app: ${name}\n  ports:\n    - port: 80\n      targetPort: 8080\n`,
    ),
  ]);
}

/** The declaration of one application of the fleet. */
export function fleetApplication(url: string, name: string): Record<string, unknown> {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'argocd' },
    spec: {
      project: 'default',
      source: { repoURL: url, targetRevision: 'main', path: `apps/${name}` },
      destination: { server: 'https://kubernetes.default.svc', namespace: fleetNamespace },
      syncPolicy: { automated: { prune: true, selfHeal: true } },
    },
  };
}

function configMap(name: string, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  value: "${value}"\n`;
}
