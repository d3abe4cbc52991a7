import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RenderResult } from '../../ports/renderer.ts';
import type { BundleFiles } from './bundle-files.ts';
import { collectObjects, type FoundDocument } from './collect-objects.ts';
import type { RenderContext } from './render-context.ts';
import { renderDirectory } from './render-directory.ts';
import { renderFlux } from './render-flux.ts';
import { renderHelm } from './render-helm.ts';
import { renderKustomize } from './render-kustomize.ts';
import type { RenderRequest } from './wire.ts';

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
    kustomizations: new Map(),
    executables: new Set(request.files.filter(({ executable }) => executable).map(({ path }) => path)),
  };
  try {
    const documents = renderDocuments(context, request);
    const objects = collectObjects(documents, context.limits, context.warnings);
    return { objects, warnings: [...new Set(context.warnings)] };
  } finally {
    rmSync(request.directory, { recursive: true, force: true });
  }
}

function renderDocuments(context: RenderContext, { job }: RenderRequest): FoundDocument[] {
  mkdirSync(context.directory, { mode: 0o700 });
  if (job.tool === 'directory') return renderDirectory(context, job.manifests);
  if (job.tool === 'flux' && !job.hasKustomization && job.manifests.length === 0) return [];
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
