import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BundleFiles } from './bundle-files.ts';
import type { Kustomization } from './kustomize-graph.ts';
import type { RenderLimits } from './limits.ts';
import type { ToolPaths } from './wire.ts';

/** What a tool's part of the worker knows of its job. */
export interface RenderContext {
  /** The job's directory: `src` holds the bundle, the rest is the tools' own. */
  directory: string;
  source: string;
  /** Path within the bundle that is rendered, '' for its root. */
  path: string;
  files: BundleFiles;
  tools: ToolPaths;
  limits: RenderLimits;
  warnings: string[];
  /** Kustomizations that were read or edited for this job, by file. */
  kustomizations: Map<string, Kustomization>;
  /** Files that the bundle has as executable. */
  executables: Set<string>;
}

/**
 * Writes the bundle to disk, for a tool: regular files only, readable by nobody else. `wx`: a name that is already there
 * is never followed or replaced.
 */
export function writeBundle({ source, files, executables }: RenderContext): void {
  mkdirSync(source, { mode: 0o700 });
  const made = new Set<string>(['.']);
  for (const [path, content] of files) {
    const folder = dirname(path);
    if (!made.has(folder)) {
      mkdirSync(join(source, folder), { recursive: true, mode: 0o700 });
      made.add(folder);
    }
    writeFileSync(join(source, path), content, { flag: 'wx', mode: executables.has(path) ? 0o700 : 0o600 });
  }
}
