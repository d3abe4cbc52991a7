import { HawserError } from '#shared/errors.ts';
import type { DirectoryOptions } from '#shared/domain/application.ts';
import type { RenderTool } from '#shared/ports/renderer.ts';
import { compileGlob } from './glob.ts';
import { relativeTo, shown } from './repository-path.ts';
import { addFile, addFolder, everythingBelow } from './walk.ts';
import type { Walk } from './walk.ts';

const manifestName = /\.(?:yaml|yml|json)$/;

/**
 * Manifests of a plain folder (argo-cd.md §1.1, Directory). Names are compared from the folder; a `*` in `include` and
 * `exclude` matches slashes too, as there.
 */
export async function walkDirectory(walk: Walk, options: DirectoryOptions): Promise<RenderTool> {
  const { path } = walk.source;
  const isChosen = chooser(options);
  addFolder(walk, path, options.recurse);
  const manifests: string[] = [];
  for await (const entry of everythingBelow(walk, path, () => options.recurse)) {
    const relative = relativeTo(path, entry.path);
    if (entry.type === 'tree' || !isChosen(relative)) continue;
    if (relative.endsWith('.jsonnet')) {
      throw new HawserError('unsupported', `${entry.path} is Jsonnet, which is not rendered`, {
        data: { path: entry.path },
        hint: 'Commit what it generates, or leave it out with directory.exclude.',
      });
    }
    if (!manifestName.test(relative)) continue;
    addFile(walk, entry, shown(path));
    manifests.push(entry.path);
  }
  return { tool: 'directory', manifests };
}

function chooser({ include, exclude }: DirectoryOptions): (path: string) => boolean {
  const globOptions = { separator: false, braces: true };
  const isIncluded = include === '' ? () => true : compileGlob(include, globOptions);
  const isExcluded = exclude === '' ? () => false : compileGlob(exclude, globOptions);
  return (path) => isIncluded(path) && !isExcluded(path);
}
