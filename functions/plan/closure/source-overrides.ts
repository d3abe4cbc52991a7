import { HawserError, messageOf } from '#shared/errors.ts';
import type { RenderOptions } from '#shared/domain/application.ts';
import { compileArgoApplication } from '#shared/domain/compile/argo-application.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import type { Json, JsonObject } from '#shared/domain/json.ts';
import { readYaml } from './read-yaml.ts';
import { childOf } from './repository-path.ts';
import { addFile, addFolder, entryAt, readEntry } from './walk.ts';
import type { Walk } from './walk.ts';

/**
 * Options after `.argocd-source.yaml` and `.argocd-source-<application>.yaml` in the application's folder have been merged
 * onto them (argo-cd.md §2.3): a JSON merge patch that may touch the tools' blocks only.
 */
export async function applyOverrides(walk: Walk, applicationName: string): Promise<RenderOptions> {
  const { path, render } = walk.source;
  if (render.tool === 'flux') return render;
  const names = ['.argocd-source.yaml', `.argocd-source-${applicationName}.yaml`];
  let options = render;
  addFolder(walk, path, false);
  for (const name of names) {
    const entry = name.includes('/') ? undefined : await entryAt(walk, childOf(path, name), name);
    if (entry?.type !== 'blob') continue;
    addFile(walk, entry, name);
    const [patch] = readYaml(await readEntry(walk, entry), entry.path);
    if (patch === undefined) continue;
    if (!isJsonObject(patch)) throw new HawserError('source-invalid', `${entry.path}:1: is no mapping`);
    options = merged(options, patch, entry.path);
  }
  return options;
}

function merged(
  options: Exclude<RenderOptions, { tool: 'flux' }>,
  patch: JsonObject,
  where: string,
): Exclude<RenderOptions, { tool: 'flux' }> {
  const blocks: JsonObject = {};
  if (options.tool !== 'auto' && options.tool !== 'directory')
    Object.assign(blocks, JSON.parse(JSON.stringify(options)));
  if (options.tool === 'directory') blocks['directory'] = { ...options.directory };
  const { helm, kustomize, directory, plugin } = { ...blocks, ...(mergePatch(blocks, patch) as JsonObject) };
  const source = { repoURL: 'this', helm, kustomize, directory, plugin };
  const spec = Object.fromEntries(Object.entries(source).filter(([, block]) => block != null));
  try {
    // The same schema and the same rules as for what is in the Application itself.
    const object = { metadata: { name: 'override' }, spec: { source: spec as JsonObject } };
    const { application } = compileArgoApplication(object, {
      homeCluster: '',
      defaultCluster: '',
      resolveCluster: () => '',
    });
    const render = application.sources[0]?.render;
    if (render === undefined || render.tool === 'flux') throw new Error('no options came out');
    return render;
  } catch (error) {
    if (!(error instanceof HawserError)) throw error;
    throw new HawserError(
      error.code === 'unsupported' ? 'unsupported' : 'source-invalid',
      `${where}: ${messageOf(error)}`,
      {
        data: { path: where },
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      },
    );
  }
}

/** JSON merge patch (RFC 7396). Keys that JavaScript gives a meaning are data like any other (NT-170). */
function mergePatch(target: Json | undefined, patch: Json | undefined): Json | undefined {
  if (!isJsonObject(patch)) return patch;
  const entries = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) entries.delete(key);
    else entries.set(key, mergePatch(entries.get(key), value));
  }
  return Object.fromEntries(entries);
}
