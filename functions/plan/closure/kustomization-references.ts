import { HawserError } from '#shared/errors.ts';
import { isJsonObject } from '#shared/domain/json.ts';

/** A path that a kustomization names, and the field that does. */
export interface Reference {
  path: string;
  field: string;
}

/** Everything that a kustomization reads. */
export interface References {
  /** Files or folders with a kustomization: `resources`, `bases`. */
  resources: Reference[];
  components: Reference[];
  files: Reference[];
  /** Generators, transformers, validators: files that may name further files, or folders. */
  plugins: Reference[];
}

/**
 * Reads the references out of a kustomization (kustomize 5). Whatever leads to another host is refused wherever it
 * stands, before the tool sees it (NT-60); so are charts and functions (NT-63, NT-64).
 *
 * @param where The kustomization's path, for messages.
 */
export function referencesOf(kustomization: unknown, where: string): References {
  if (!isJsonObject(kustomization)) throw new HawserError('source-invalid', `${where}:1: is not a kustomization`);
  const helm = ['helmCharts', 'helmChartInflationGenerator'].find((field) => list(kustomization[field]).length > 0);
  if (helm !== undefined) {
    throw new HawserError('unsupported', `${where}: ${helm} is not supported: charts are not inflated by kustomize`, {
      data: { path: where, field: helm },
      hint: "Make the chart an application of its own, or commit the output of 'helm template'.",
    });
  }
  const found: References = { resources: [], components: [], files: [], plugins: [] };
  const add = (kind: keyof References, field: string, path: unknown): void =>
    addReference(found[kind], field, path, where);
  for (const field of ['resources', 'bases'])
    for (const path of list(kustomization[field])) add('resources', field, path);
  for (const path of list(kustomization['components'])) add('components', 'components', path);
  for (const field of ['crds', 'configurations'])
    for (const path of list(kustomization[field])) add('files', field, path);
  for (const field of ['generators', 'transformers', 'validators']) {
    for (const entry of list(kustomization[field])) {
      if (!isInline(entry)) add('plugins', field, entry);
    }
  }
  for (const entry of list(kustomization['patchesStrategicMerge']))
    if (!isInline(entry)) add('files', 'patchesStrategicMerge', entry);
  for (const field of ['patches', 'patchesJson6902', 'replacements']) {
    for (const entry of list(kustomization[field])) {
      // Old files have plain strings in `patches`.
      if (typeof entry === 'string' && !isInline(entry)) add('files', field, entry);
      else if (isJsonObject(entry) && entry['path'] !== undefined) add('files', `${field}[].path`, entry['path']);
    }
  }
  for (const field of ['configMapGenerator', 'secretGenerator']) {
    for (const entry of list(kustomization[field]))
      addGeneratorFiles(entry, field, (name, path) => add('files', name, path));
  }
  const openapi = kustomization['openapi'];
  if (isJsonObject(openapi) && openapi['path'] !== undefined) add('files', 'openapi.path', openapi['path']);
  return found;
}

/** Texts in `generators`, `transformers` and `validators` that are the configuration itself. */
export function inlinePlugins(kustomization: unknown): string[] {
  if (!isJsonObject(kustomization)) return [];
  return ['generators', 'transformers', 'validators'].flatMap((field) =>
    list(kustomization[field]).filter((entry): entry is string => isInline(entry)),
  );
}

/** Files that the configuration of a built-in generator or transformer names. */
export function pluginReferences(config: unknown, where: string): Reference[] {
  if (!isJsonObject(config)) return [];
  refuseFunctions(config, where);
  const found: Reference[] = [];
  const add = (field: string, path: unknown): void => addReference(found, field, path, where);
  if (config['path'] !== undefined) add('path', config['path']);
  for (const path of list(config['paths'])) if (!isInline(path)) add('paths', path);
  for (const entry of list(config['replacements'])) {
    if (isJsonObject(entry) && entry['path'] !== undefined) add('replacements[].path', entry['path']);
  }
  addGeneratorFiles(config, 'generator', add);
  return found;
}

/** True for what kustomize would take for the address of a file or repository elsewhere. */
export function isRemote(path: string): boolean {
  return (
    path.includes('://') ||
    /^git::/i.test(path) ||
    /^[\w.+-]+@[\w.-]+[:/]/.test(path) ||
    /^(?:www\.)?github\.com[/:]/i.test(path) ||
    /^gh:/i.test(path) ||
    /\?(?:ref|version|timeout|submodules)=/.test(path)
  );
}

/** `unsafe-path` for an address where a path belongs (NT-60). */
export function remoteError(path: string, where: string): HawserError {
  return new HawserError(
    'unsafe-path',
    `${where} names the remote address ${JSON.stringify(path.slice(0, 200))}; remote bases and files are not read`,
    {
      data: { path: path.slice(0, 200) },
      hint: 'Copy it into the repository: then it changes when you change it.',
    },
  );
}

function addGeneratorFiles(generator: unknown, field: string, add: (field: string, path: unknown) => void): void {
  if (!isJsonObject(generator)) return;
  for (const entry of list(generator['files'])) {
    add(`${field}[].files`, typeof entry === 'string' ? entry.slice(entry.indexOf('=') + 1) : entry);
  }
  for (const entry of list(generator['envs'])) add(`${field}[].envs`, entry);
  if (generator['env'] !== undefined && generator['env'] !== '') add(`${field}[].env`, generator['env']);
}

function addReference(to: Reference[], field: string, path: unknown, where: string): void {
  if (typeof path !== 'string' || path === '')
    throw new HawserError('source-invalid', `${where}: an entry of ${field} is no path`);
  if (isRemote(path)) throw remoteError(path, `${where}: ${field}`);
  to.push({ path, field });
}

function refuseFunctions(config: Record<string, unknown>, where: string): void {
  const metadata = config['metadata'];
  const annotations = isJsonObject(metadata) ? metadata['annotations'] : undefined;
  if (!isJsonObject(annotations)) return;
  if (!['config.kubernetes.io/function', 'config.k8s.io/function'].some((name) => annotations[name] !== undefined))
    return;
  throw new HawserError('unsupported', `${where}: functions that run programs or containers are not supported`, {
    data: { path: where },
    hint: 'Use the transformers that are built into kustomize, or commit the output.',
  });
}

function isInline(entry: unknown): entry is string {
  return typeof entry === 'string' && (entry.includes('\n') || entry.startsWith('{'));
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
