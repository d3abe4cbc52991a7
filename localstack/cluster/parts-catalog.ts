import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Absolute paths of the binaries the sandbox runs, and of kustomize, which the renderer uses. */
export interface SandboxParts {
  etcd: string;
  kubeApiserver: string;
  kubeControllerManager: string;
  kubeScheduler: string;
  kwok: string;
  kustomize: string;
}

export type PartKey = keyof SandboxParts;
export type ModuleName = 'kubernetes' | 'kwok' | 'kustomize';

/** One binary: where its source is, and how long its build takes beside the others. */
export interface Part {
  key: PartKey;
  binary: string;
  /** Folder below parts/ with the go.mod and go.sum that pin it. */
  module: ModuleName;
  goPackage: string;
  /** Go packages compiled for it when those before it in this list are done: the progress bar's scale. */
  packages: number;
  /** Seconds that took on 2 cores: its share of the progress bar. */
  seconds: number;
}

export const kubernetesVersion = 'v1.35.0';
export const kustomizeVersion = 'v5.7.1';

/** In build order: a part reuses what those before it compiled. */
export const catalog: readonly Part[] = [
  part('etcd', 'etcd', 'kubernetes', 'go.etcd.io/etcd/server/v3', 560, 46),
  part('kubeApiserver', 'kube-apiserver', 'kubernetes', 'k8s.io/kubernetes/cmd/kube-apiserver', 1549, 167),
  part(
    'kubeControllerManager',
    'kube-controller-manager',
    'kubernetes',
    'k8s.io/kubernetes/cmd/kube-controller-manager',
    368,
    48,
  ),
  part('kubeScheduler', 'kube-scheduler', 'kubernetes', 'k8s.io/kubernetes/cmd/kube-scheduler', 6, 5),
  part('kwok', 'kwok', 'kwok', 'sigs.k8s.io/kwok/cmd/kwok', 725, 74),
  part('kustomize', 'kustomize', 'kustomize', 'sigs.k8s.io/kustomize/kustomize/v5', 156, 10),
];

const kubernetesStamp = {
  'k8s.io/component-base/version.gitVersion': kubernetesVersion,
  'k8s.io/component-base/version.gitMajor': '1',
  'k8s.io/component-base/version.gitMinor': kubernetesVersion.split('.')[1] ?? '',
  'k8s.io/component-base/version.gitTreeState': 'clean',
  // What the components call themselves in the User-Agent header, and so in the audit log.
  'k8s.io/client-go/pkg/version.gitVersion': kubernetesVersion,
};

const stamps: Record<ModuleName, Record<string, string>> = {
  kubernetes: kubernetesStamp,
  kwok: {},
  kustomize: { 'sigs.k8s.io/kustomize/api/provenance.version': kustomizeVersion },
};

/** The folder with a module's go.mod and go.sum. */
export function moduleDir(module: ModuleName): string {
  return join(import.meta.dirname, 'parts', module);
}

/** The linker flags for a module: no symbol tables, and the version that a source checkout would stamp. */
export function linkerFlags(module: ModuleName): string {
  const sets = Object.entries(stamps[module]).map(([name, value]) => `-X ${name}=${value}`);
  return ['-s', '-w', ...sets].join(' ');
}

/** The cache folder name of a module's binaries: changes whenever what would be built changes. */
export function cacheName(
  module: ModuleName,
  sources: { goMod: string; goSum: string },
  platform: string = process.platform,
  arch: string = process.arch,
): string {
  const hash = createHash('sha256');
  for (const text of [sources.goMod, sources.goSum, linkerFlags(module)]) hash.update(text).update('\0');
  return `${module}-${hash.digest('hex').slice(0, 16)}-${platform}-${arch}`;
}

/** Reads a module's go.mod and go.sum. */
export function readModule(module: ModuleName): { goMod: string; goSum: string } {
  const read = (name: string) => readFileSync(join(moduleDir(module), name), 'utf8');
  return { goMod: read('go.mod'), goSum: read('go.sum') };
}

/** The Go version that a go.mod asks for, such as `1.25.0`. */
export function goVersionOf(goMod: string): string {
  return /^go (\S+)$/m.exec(goMod)?.[1] ?? '1.25.0';
}

function part(
  key: PartKey,
  binary: string,
  module: ModuleName,
  goPackage: string,
  packages: number,
  seconds: number,
): Part {
  return { key, binary, module, goPackage, packages, seconds };
}
