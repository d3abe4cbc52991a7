import type { FluxOptions } from '../../domain/application.ts';
import { HawserError } from '../../errors.ts';
import type { RenderTool } from '../../ports/renderer.ts';
import type { FoundDocument } from './collect-objects.ts';
import { substituteVariables, requireVariableNames } from './envsubst.ts';
import { listAt, stringAt, type JsonMap, type JsonTree } from './json-tree.ts';
import { editLikeFlux, hasKustomizeEdits } from './kustomize-edits.ts';
import { checkKustomizeGraph, openKustomization, saveKustomization, type Kustomization } from './kustomize-graph.ts';
import { decodeText, readDocument } from './read-documents.ts';
import { renderPlainKustomization } from './plain-kustomize.ts';
import { buildKustomization, existsIn } from './render-kustomize.ts';
import type { RenderContext } from './render-context.ts';
import { splitDocuments, type DocumentText } from './yaml-subset.ts';

const substituteKey = 'kustomize.toolkit.fluxcd.io/substitute';

/** A Flux Kustomization: generate or patch the kustomization, build, substitute variables, add common metadata (flux.md §2.2, §2.3). */
export function renderFlux(context: RenderContext, job: Extract<RenderTool, { tool: 'flux' }>): FoundDocument[] {
  const { options } = job;
  requireVariableNames(options.substitute ?? {});
  prepareKustomization(context, job);
  const { readsBeyondRoot } = checkKustomizeGraph(context);
  const found = plainDocuments(context, options) ?? builtDocuments(context, options, readsBeyondRoot);
  return found.filter(({ tree }) => !isKustomizeKind(tree)).map((document) => finish(document, options));
}

/** Without a process, where nothing is to be substituted and the kustomization only lists resources. */
function plainDocuments(
  context: RenderContext,
  { substitute: variables = {} }: FluxOptions,
): FoundDocument[] | undefined {
  const hasVariables = Object.keys(variables).length > 0;
  if (hasVariables && [...context.files.values()].some((bytes) => bytes.includes(dollar))) return undefined;
  return renderPlainKustomization(context);
}

const dollar = '$'.charCodeAt(0);

function builtDocuments(context: RenderContext, options: FluxOptions, beyondRoot: boolean): FoundDocument[] {
  const text = decodeText(buildKustomization(context, beyondRoot), 'the output of kustomize');
  return splitDocuments(text).flatMap((document, index) => {
    const where = `document ${index + 1} of kustomize’s output`;
    return readDocument(context, substitute(context, document, options, where), where).map((tree) => ({ tree, where }));
  });
}

function prepareKustomization(context: RenderContext, job: Extract<RenderTool, { tool: 'flux' }>): void {
  const kustomization = job.hasKustomization
    ? openKustomization(context, context.path)
    : generate(context, job.manifests);
  const isWithoutResources = job.hasKustomization && listAt(kustomization.tree, 'resources').length === 0;
  if (job.hasKustomization && !isWithoutResources && !hasKustomizeEdits(withoutPostBuild(job.options))) return;
  // What kustomize-controller does to keep kustomize from refusing an empty file.
  if (isWithoutResources) kustomization.tree.set('buildMetadata', ['originAnnotations']);
  editLikeFlux(kustomization.tree, job.options, (component) => existsIn(context, component));
  saveKustomization(context, kustomization);
}

/** The kustomization that Flux generates for a folder without one: `manifests` are files, or folders with one of their own. */
function generate(context: RenderContext, manifests: string[]): Kustomization {
  const prefix = context.path === '' ? '' : `${context.path}/`;
  const resources = manifests.map((path) => `./${path.startsWith(prefix) ? path.slice(prefix.length) : path}`);
  const tree: JsonMap = new Map<string, JsonTree>([
    ['apiVersion', 'kustomize.config.k8s.io/v1beta1'],
    ['kind', 'Kustomization'],
    ['resources', resources],
  ]);
  return { file: `${prefix}kustomization.yaml`, folder: context.path, tree, isPlain: true };
}

function withoutPostBuild({ substitute: _variables, commonMetadata: _metadata, ...rest }: FluxOptions): FluxOptions {
  return rest;
}

/** Variables are replaced in the text of each object, unless the object opts out; without variables nothing is touched. */
function substitute(
  context: RenderContext,
  document: DocumentText,
  { substitute: variables = {} }: FluxOptions,
  where: string,
): DocumentText {
  if (Object.keys(variables).length === 0 || !document.text.includes('$')) return document;
  if (document.text.includes(substituteKey) && isOptedOut(readDocument(context, document, where)[0] ?? null))
    return document;
  try {
    const text = substituteVariables(document.text, variables);
    return { line: document.line, text: text.endsWith('\n') ? text : `${text}\n` };
  } catch (error) {
    if (!(error instanceof HawserError)) throw error;
    const name = nameOf(readDocument(context, document, where)[0] ?? null);
    throw new HawserError('render-failed', `${name ?? where}: ${error.message}`, {
      data: { where, ...error.data },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function isOptedOut(tree: JsonTree): boolean {
  const metadata = tree instanceof Map ? tree.get('metadata') : undefined;
  const parts = metadata instanceof Map ? [metadata.get('labels'), metadata.get('annotations')] : [];
  return parts.some((part) => stringAt(part, substituteKey) === 'disabled');
}

/** Common metadata overrides what the object says; encrypted objects are refused rather than applied as they are. */
function finish(document: FoundDocument, { commonMetadata }: FluxOptions): FoundDocument {
  const { tree } = document;
  if (!(tree instanceof Map)) return document;
  const sops = tree.get('sops');
  if (sops instanceof Map && sops.has('mac')) {
    throw new HawserError(
      'render-failed',
      `${nameOf(tree) ?? document.where} is encrypted with SOPS, which is not decrypted here`,
      {
        hint: 'Use a secret operator in the cluster, or exclude the object.',
      },
    );
  }
  const metadata = tree.get('metadata');
  if (metadata instanceof Map) {
    setPairs(metadata, 'labels', commonMetadata?.labels);
    setPairs(metadata, 'annotations', commonMetadata?.annotations);
  }
  return document;
}

function setPairs(metadata: JsonMap, key: string, pairs: Record<string, string> | undefined): void {
  if (pairs === undefined || Object.keys(pairs).length === 0) return;
  const existing = metadata.get(key);
  const map: JsonMap = existing instanceof Map ? existing : new Map();
  for (const [name, value] of Object.entries(pairs)) map.set(name, value);
  metadata.set(key, map);
}

function isKustomizeKind(tree: JsonTree): boolean {
  return stringAt(tree, 'apiVersion')?.startsWith('kustomize.config.k8s.io/') === true;
}

function nameOf(tree: JsonTree): string | undefined {
  const kind = stringAt(tree, 'kind');
  const name = tree instanceof Map ? stringAt(tree.get('metadata'), 'name') : undefined;
  return kind === undefined || name === undefined ? undefined : `${kind} ${name}`;
}
