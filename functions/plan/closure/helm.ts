import { HawserError } from '#shared/errors.ts';
import type { HelmOptions } from '#shared/domain/application.ts';
import type { TreeEntry } from '#shared/ports/git-source.ts';
import type { RenderTool } from '#shared/ports/renderer.ts';
import { buildEnvironment, expandHelm, type EnvironmentContext, type Expand } from './build-environment.ts';
import { addDependencies } from './helm-dependencies.ts';
import { compileGlob, isGlob } from './glob.ts';
import { parseHelmIgnore } from './ignore-rules.ts';
import { isRemote } from './kustomization-references.ts';
import { childOf, folderOf, relativeTo, resolvePath, shown } from './repository-path.ts';
import { addFile, addFolder, entryAt, everythingBelow, notFound, readEntry } from './walk.ts';
import type { Walk } from './walk.ts';

/** What a chart is rendered for. */
export interface HelmContext extends EnvironmentContext {
  kubeVersion: string;
  apiVersions: string[];
}

/**
 * What `helm template` reads: the whole chart folder (templates may read any file of it) but what `.helmignore` leaves out,
 * local dependencies, value files. The job's value files are explicit and relative to the chart.
 */
export async function walkHelm(walk: Walk, options: HelmOptions, context: HelmContext): Promise<RenderTool> {
  const { path } = walk.source;
  await addChart(walk, path, path);
  await addDependencies(walk, path, path, addChart);
  const valueFiles = await addValueFiles(walk, options, context);
  const expanded = expandHelm(options, buildEnvironment(walk, context));
  const fileParameters: HelmOptions['fileParameters'] = [];
  for (const parameter of options.fileParameters ?? []) {
    const entry = await fileOf(walk, parameter.path, context, 'helm.fileParameters');
    if (entry === undefined) throw await missing(walk, parameter.path, 'helm.fileParameters');
    addFile(walk, entry, 'helm.fileParameters');
    fileParameters.push({ name: parameter.name, path: relativeTo(path, entry.path) });
  }
  return {
    tool: 'helm',
    options: { ...expanded, valueFiles, ...(options.fileParameters === undefined ? {} : { fileParameters }) },
    releaseName: options.releaseName ?? context.applicationName,
    namespace: options.namespace ?? context.namespace,
    kubeVersion: options.kubeVersion ?? context.kubeVersion,
    apiVersions: options.apiVersions ?? context.apiVersions,
  };
}

/** Adds all files of a chart's folder; `to` is where the render finds them. */
async function addChart(walk: Walk, folder: string, to: string): Promise<void> {
  const where = `chart ${shown(folder)}`;
  const chart = await entryAt(walk, childOf(folder, 'Chart.yaml'), where);
  if (chart === undefined)
    throw await notFound(walk, childOf(folder, 'Chart.yaml'), `${shown(folder)} is no chart: it has no Chart.yaml`);
  addFolder(walk, folder, true);
  const ignore = await entryAt(walk, childOf(folder, '.helmignore'), where);
  const isIgnored =
    ignore === undefined ? () => undefined : parseHelmIgnore(new TextDecoder().decode(await readEntry(walk, ignore)));
  const isLeftOut = (entry: TreeEntry): boolean =>
    isIgnored(relativeTo(folder, entry.path), entry.type === 'tree') === true;
  for await (const entry of everythingBelow(walk, folder, (below) => !isLeftOut(below))) {
    if (entry.type === 'tree' || (isLeftOut(entry) && entry.path !== ignore?.path)) continue;
    addFile(walk, entry, where, childOf(to, relativeTo(folder, entry.path)));
  }
}

/** Value files in the order in which they count; a file that is named also by itself is left out of a pattern (argo-cd.md §2.3). */
async function addValueFiles(walk: Walk, options: HelmOptions, context: HelmContext): Promise<string[]> {
  const names = (options.valueFiles ?? []).map(inNames(walk, context));
  const named = new Set<string>();
  for (const name of names) if (!isGlob(name) && !isRemote(name)) named.add(resolveFile(walk, name, 'helm.valueFiles'));
  const found: TreeEntry[] = [];
  for (const name of names) {
    const entries = isGlob(name)
      ? await globbed(walk, name, named)
      : [await fileOf(walk, name, context, 'helm.valueFiles')];
    const present = entries.filter((entry) => entry !== undefined);
    if (present.length === 0 && options.ignoreMissingValueFiles !== true)
      throw await missing(walk, name, 'helm.valueFiles');
    if (present.length === 0) walk.warnings.push(`value file ${name} does not exist and is left out`);
    found.push(...present);
  }
  for (const entry of found) addFile(walk, entry, 'helm.valueFiles');
  return [...new Set(found.map((entry) => relativeTo(walk.source.path, entry.path)))];
}

async function globbed(walk: Walk, pattern: string, named: ReadonlySet<string>): Promise<TreeEntry[]> {
  const first = pattern.split('/').findIndex((part) => isGlob(part));
  const base = resolveFile(
    walk,
    pattern.split('/').slice(0, first).join('/') || (pattern.startsWith('/') ? '/' : '.'),
    'helm.valueFiles',
  );
  const rest = pattern.split('/').slice(first).join('/');
  const matches = compileGlob(rest, { separator: true, braces: true });
  const isDeep = rest.includes('/') || rest.includes('**');
  addFolder(walk, base, isDeep);
  if ((await entryAt(walk, base, 'helm.valueFiles'))?.type !== 'tree') return [];
  const found: TreeEntry[] = [];
  for await (const entry of everythingBelow(walk, base, () => isDeep)) {
    if (entry.type !== 'tree' && matches(relativeTo(base, entry.path)) && !named.has(entry.path)) found.push(entry);
  }
  return found;
}

async function fileOf(walk: Walk, name: string, context: HelmContext, where: string): Promise<TreeEntry | undefined> {
  const path = resolveFile(walk, inNames(walk, context)(name), where);
  const entry = await entryAt(walk, path, where);
  if (entry === undefined) addFolder(walk, folderOf(path), false);
  if (entry?.type === 'tree')
    throw new HawserError('source-invalid', `${where} names ${path}, which is a folder`, { data: { path } });
  return entry;
}

/** Relative to the chart, or with a leading slash to the root; addresses of any scheme are refused (NT-40). */
function resolveFile(walk: Walk, name: string, where: string): string {
  if (name.startsWith('$')) {
    throw new HawserError('unsupported', `${where}: ${name} is from another source, which is not supported yet`, {
      hint: 'Put the file beside the chart.',
    });
  }
  if (isRemote(name) || /^[a-z][a-z0-9+.-]*:/i.test(name)) {
    throw new HawserError(
      'unsafe-path',
      `${where} names the address ${JSON.stringify(name.slice(0, 200))}; only files of the repository are read`,
      {
        data: { path: name.slice(0, 200) },
        hint: 'Copy the file into the repository.',
      },
    );
  }
  return name.startsWith('/')
    ? resolvePath('', name.replace(/^\/+/, ''), where)
    : resolvePath(walk.source.path, name, where);
}

/** In names of files what is no variable stays, so that errors name it: `$values/…` is another source. */
function inNames(walk: Walk, context: HelmContext): Expand {
  return buildEnvironment(walk, context, 'keep');
}

function missing(walk: Walk, name: string, where: string): Promise<HawserError> {
  const path = isGlob(name) ? walk.source.path : resolveFile(walk, name, where);
  return notFound(
    walk,
    path,
    `${where}: ${name} does not exist`,
    'Correct the name, or set helm.ignoreMissingValueFiles.',
  );
}
