import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RenderResult } from '../../ports/renderer.ts';
import type { BundleFiles } from './bundle-files.ts';
import { collectObjects, type FoundDocument } from './collect-objects.ts';
import type { JsonMap } from './json-tree.ts';
import { renderDirectory } from './render-directory.ts';
import { renderFlux } from './render-flux.ts';
import { renderHelm } from './render-helm.ts';
import { renderKustomize } from './render-kustomize.ts';
import type { RenderLimits } from './limits.ts';
import type { RenderRequest, ToolPaths } from './wire.ts';

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
  /** Kustomizations by file that were edited for this job, as they were written. */
  edited: Map<string, JsonMap>;
}

/** Renders one request in a directory of its own that is gone afterwards. Throws HawserErrors only for what the user can mend. */
export function renderInDirectory(request: RenderRequest, body: Buffer): RenderResult {
  const context: RenderContext = {
    directory: request.directory,
    source: join(request.directory, 'src'),
    path: request.path === '.' ? '' : request.path,
    files: filesOf(request, body),
    tools: request.tools,
    limits: request.limits,
    warnings: [],
    edited: new Map(),
  };
  try {
    const documents = renderDocuments(context, request);
    const objects = collectObjects(documents, context.limits, context.warnings);
    return { objects, warnings: [...new Set(context.warnings)] };
  } finally {
    rmSync(request.directory, { recursive: true, force: true });
  }
}

function renderDocuments(context: RenderContext, { job, files }: RenderRequest): FoundDocument[] {
  mkdirSync(context.directory, { mode: 0o700 });
  if (job.tool === 'directory') return renderDirectory(context, job.manifests);
  if (job.tool === 'flux' && !job.hasKustomization && job.manifests.length === 0) return [];
  writeFiles(context, files);
  if (job.tool === 'kustomize') return renderKustomize(context, job.options);
  if (job.tool === 'flux') return renderFlux(context, job);
  return renderHelm(context, job);
}

function filesOf(request: RenderRequest, body: Buffer): BundleFiles {
  const files: BundleFiles = new Map();
  let offset = 0;
  for (const { path, size } of request.files) {
    files.set(path, body.subarray(offset, offset + size));
    offset += size;
  }
  return files;
}

/** Regular files only, readable by nobody else. `wx`: a name that is already there is never followed or replaced. */
function writeFiles({ source, files }: RenderContext, entries: RenderRequest['files']): void {
  mkdirSync(source, { mode: 0o700 });
  const made = new Set<string>(['.']);
  for (const { path, executable } of entries) {
    const folder = dirname(path);
    if (!made.has(folder)) {
      mkdirSync(join(source, folder), { recursive: true, mode: 0o700 });
      made.add(folder);
    }
    writeFileSync(join(source, path), files.get(path) ?? Buffer.alloc(0), { flag: 'wx', mode: 0o600 });
    if (executable) chmodSync(join(source, path), 0o700);
  }
}
