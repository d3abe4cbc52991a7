import { HawserError } from '#shared/errors.ts';
import type { RenderOptions, Source } from '#shared/domain/application.ts';
import { digestOf } from '#shared/domain/digest.ts';
import { canonicalJson } from '#shared/domain/json.ts';
import type { GitTree } from '#shared/ports/git-source.ts';
import type { RenderBundle, RenderTool } from '#shared/ports/renderer.ts';
import { buildEnvironment, expandKustomize } from './build-environment.ts';
import { createBatchReader } from './batch-reader.ts';
import type { BatchReader } from './batch-reader.ts';
import { walkDirectory } from './directory.ts';
import { walkFlux } from './flux.ts';
import { walkHelm } from './helm.ts';
import type { HelmContext } from './helm.ts';
import { findKustomization, walkKustomize } from './kustomize.ts';
import { childOf, resolvePath, shown } from './repository-path.ts';
import { applyOverrides } from './source-overrides.ts';
import { entryAt, notFound, startWalk } from './walk.ts';
import type { ClosureFile, Walk } from './walk.ts';

export type { ClosureFile } from './walk.ts';

/** The files that a render of one source really reads, and how it is rendered. */
export interface Closure {
  tool: 'directory' | 'kustomize' | 'flux' | 'helm';
  /** What is rendered, as a path within `files`; '' is the root. */
  path: string;
  /** Sorted by path. */
  files: ClosureFile[];
  /** Folders whose listing decides: new files there (anywhere below, where recursive) change the closure. */
  folders: { path: string; recursive: boolean }[];
  /** `manifests` are paths as in `files`, in the order in which they are rendered. */
  job: RenderTool;
  warnings: string[];
}

/** What a closure depends on beside the tree and the source. */
export type ClosureContext = HelmContext;

/**
 * Finds the closure of one source by walking its tree; reads only files that name other files.
 * Errors name the path, the file and what to do: `path-not-found`, `unsafe-path`, `source-invalid`, `source-too-large`, `unsupported`.
 */
export async function findClosure(tree: GitTree, source: Source, context: ClosureContext): Promise<Closure> {
  const reader = createBatchReader(tree);
  return reader.run(() => walkSource(tree, reader, source, context));
}

/**
 * Finds the closures of many sources of one tree side by side, so that each level of all of them costs one request.
 * An error stands in its own source's place.
 */
export async function findClosures(
  tree: GitTree,
  requests: readonly { source: Source; context: ClosureContext }[],
): Promise<(Closure | HawserError)[]> {
  const reader = createBatchReader(tree);
  return Promise.all(
    requests.map(async ({ source, context }) => {
      try {
        return await reader.run(() => walkSource(tree, reader, source, context));
      } catch (error) {
        if (error instanceof HawserError) return error;
        throw error;
      }
    }),
  );
}

/**
 * Digest over everything that decides what a render gives: paths, object ids and modes, options, and the settings.
 * Needs no contents. Same digest, same output.
 */
export function inputDigestOf(
  closures: readonly Closure[],
  settings: { versions: Record<string, string>; policyVersion: string; capabilities?: unknown },
): string {
  const parts = [
    'input/1',
    canonicalJson(settings.versions),
    settings.policyVersion,
    canonicalJson(settings.capabilities ?? null),
  ];
  for (const { path, job, files } of closures) {
    parts.push('closure', path, canonicalJson(job), String(files.length));
    for (const file of files) parts.push(file.path, file.oid, file.executable ? 'x' : '-');
  }
  return digestOf(parts);
}

/** The closure with its contents, read in one request. */
export async function bundleOf(tree: GitTree, closure: Closure): Promise<RenderBundle> {
  const contents = await tree.blobs([...new Set(closure.files.map(({ oid }) => oid))]);
  const files = closure.files.map(({ path, oid, executable }) => {
    const content = contents.get(oid);
    if (content === undefined)
      throw new HawserError('internal', `The contents of ${path} were not given`, { retry: 'later' });
    return { path, content, ...(executable ? { executable } : {}) };
  });
  return { path: closure.path, files, job: closure.job };
}

async function walkSource(
  tree: GitTree,
  reader: BatchReader,
  given: Source,
  context: ClosureContext,
): Promise<Closure> {
  const isFlux = given.render.tool === 'flux';
  // Flux joins a path to the root whether or not it begins with a slash.
  const path = resolvePath('', isFlux ? given.path.replace(/^\/+/, '') : given.path, 'the path of the application');
  const source = { ...given, path };
  const walk = startWalk(tree, reader, source);
  const entry = await entryAt(walk, path, 'the path of the application');
  if (entry?.type !== 'tree')
    throw await notFound(walk, path, `There is no folder ${shown(path)}`, "Correct the application's path.");
  const job = await walkTool(walk, await applyOverrides(walk, context.applicationName), context);
  return {
    tool: job.tool,
    path,
    files: [...walk.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    folders: [...walk.folders].map(([folder, recursive]) => ({ path: folder, recursive })),
    job,
    warnings: walk.warnings,
  };
}

/** An explicit block decides; else what the folder holds: a chart, a kustomization, manifests (argo-cd.md §2.3). */
async function walkTool(walk: Walk, options: RenderOptions, context: ClosureContext): Promise<RenderTool> {
  if (options.tool === 'flux') return walkFlux(walk, options.flux);
  if (options.tool === 'helm') return walkHelm(walk, options.helm, context);
  if (options.tool === 'kustomize') return kustomizeJob(walk, options.kustomize, context);
  if (options.tool === 'directory') return walkDirectory(walk, options.directory);
  const { path } = walk.source;
  if ((await walk.tree.entry(childOf(path, 'Chart.yaml'))) !== undefined)
    return walkHelm(walk, options.helm ?? {}, context);
  if ((await findKustomization(walk, path)) !== undefined) return kustomizeJob(walk, options.kustomize ?? {}, context);
  return walkDirectory(walk, options.directory);
}

async function kustomizeJob(
  walk: Walk,
  options: Extract<RenderTool, { tool: 'kustomize' }>['options'],
  context: ClosureContext,
): Promise<RenderTool> {
  await walkKustomize(walk, options);
  return { tool: 'kustomize', options: expandKustomize(options, buildEnvironment(walk, context)) };
}
