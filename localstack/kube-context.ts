import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { HawserError } from '#shared/errors.ts';
import { textOf } from '#shared/domain/json.ts';

interface Named {
  name: string;
}
interface KubeConfigFile {
  contexts?: (Named & { context: { cluster: string; user: string; namespace?: string } })[];
  clusters?: (Named & { cluster: Record<string, unknown> })[];
  users?: (Named & { user: Record<string, unknown> })[];
}

/**
 * Writes a kubeconfig with one context of the user's own configuration, so that the agent can never slip to another.
 * Returns the API server's URL. Throws `not-found` naming the contexts that there are.
 */
export function writeContextKubeconfig(
  context: string,
  target: string,
  kubeconfigVariable: string | undefined,
): string {
  const files = (kubeconfigVariable ?? join(homedir(), '.kube', 'config'))
    .split(':')
    .filter((file) => file !== '' && existsSync(file));
  const loaded = files.map((file) => ({ file, config: (parse(readFileSync(file, 'utf8')) ?? {}) as KubeConfigFile }));
  const found = pick(loaded, (config) => config.contexts, context);
  if (found === undefined) {
    const names = loaded.flatMap(({ config }) => config.contexts?.map((entry) => entry.name) ?? []);
    throw new HawserError('not-found', `there is no kube context ${JSON.stringify(context)}`, {
      hint:
        names.length === 0
          ? `No contexts in ${files.join(', ') || 'any kubeconfig'}; set KUBECONFIG.`
          : `There are: ${names.join(', ')}.`,
    });
  }
  const cluster = pick(loaded, (config) => config.clusters, found.entry.context.cluster);
  const user = pick(loaded, (config) => config.users, found.entry.context.user);
  if (cluster === undefined || user === undefined) {
    throw new HawserError(
      'invalid-input',
      `context ${context} names a cluster or user that its kubeconfig does not have`,
    );
  }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    contexts: [{ name: context, context: found.entry.context }],
    clusters: [{ name: cluster.entry.name, cluster: absolute(cluster.entry.cluster, cluster.file) }],
    users: [{ name: user.entry.name, user: absolute(user.entry.user, user.file) }],
  };
  writeFileSync(target, stringify(config), { mode: 0o600 });
  chmodSync(target, 0o600);
  return textOf(cluster.entry.cluster['server']);
}

function pick<T extends Named>(
  loaded: { file: string; config: KubeConfigFile }[],
  of: (config: KubeConfigFile) => T[] | undefined,
  name: string,
): { file: string; entry: T } | undefined {
  for (const { file, config } of loaded) {
    const entry = of(config)?.find((one) => one.name === name);
    if (entry) return { file, entry };
  }
  return undefined;
}

/** Paths in a kubeconfig are relative to its own folder. */
function absolute(values: Record<string, unknown>, file: string): Record<string, unknown> {
  const isPath = (key: string, value: unknown): value is string =>
    typeof value === 'string' &&
    ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'].includes(key) &&
    !isAbsolute(value);
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, isPath(key, value) ? resolve(dirname(file), value) : value]),
  );
}
