import { HawserError } from '../../errors.ts';
import type { FoundDocument } from './collect-objects.ts';
import { parseJsonStream } from './json-reader.ts';
import { stringAt, type JsonTree } from './json-tree.ts';
import { decodeText, readDocument } from './read-documents.ts';
import type { RenderContext } from './render-context.ts';
import { splitDocuments } from './yaml-subset.ts';

/** Warnings with this beginning become conditions of the application. */
const leftOutWarning = 'ExcludedResourceWarning: ';
const skipMarker = '+argocd:skip-file-rendering';

/** Argo CD's Directory tool (argo-cd.md §1.1): the manifests as they are, without starting a process. */
export function renderDirectory(context: RenderContext, manifests: string[]): FoundDocument[] {
  return manifests.flatMap((path) => {
    const bytes = context.files.get(path);
    if (bytes === undefined) throw new HawserError('path-not-found', `there is no file ${path}`, { data: { path } });
    if (path.endsWith('.jsonnet') || path.endsWith('.libsonnet')) {
      throw new HawserError('unsupported', `file ${path} is Jsonnet, which is not rendered`, {
        data: { path },
        hint: 'Commit the rendered manifests, or exclude the file with source.directory.exclude.',
      });
    }
    const text = decodeText(bytes, `file ${path}`);
    if (text.includes(skipMarker)) return [];
    return path.endsWith('.json') ? readJson(context, path, text) : readYaml(context, path, text);
  });
}

function readJson(context: RenderContext, path: string, text: string): FoundDocument[] {
  const where = `file ${path}`;
  return jsonStream(context, text, where).flatMap((tree, index) => {
    if (!Array.isArray(tree)) return [{ tree, where: index === 0 ? where : `${where}, value ${index + 1}` }];
    return tree.map((item, item0) => ({ tree: item, where: `${where}, item ${item0 + 1}` }));
  });
}

/**
 * Argo CD's rule for YAML files in a directory: a file whose first document is no Kubernetes object and that does not
 * look like one is somebody else's (Helm values, CI configuration) and ignored; anything else that cannot be read is an error.
 */
function readYaml(context: RenderContext, path: string, text: string): FoundDocument[] {
  if (/^\s*\{/.test(text)) {
    try {
      return readJson(context, path, text);
    } catch {
      // Flow-style YAML: read on.
    }
  }
  const found: FoundDocument[] = [];
  for (const [index, document] of splitDocuments(text).entries()) {
    const where = `file ${path}, document ${index + 1}${document.line === 1 ? '' : ` (line ${document.line})`}`;
    try {
      for (const tree of readDocument(context, document, where)) {
        if (tree === null) continue;
        if (!(tree instanceof Map) || (stringAt(tree, 'kind') ?? '') === '') throw withoutKind(where, tree);
        found.push({ tree, where });
      }
    } catch (error) {
      const isOurs = error instanceof HawserError && error.code === 'object-invalid';
      if (isOurs && found.length === 0 && !looksLikeManifest(text)) {
        if (looksForgotten(text)) context.warnings.push(`${leftOutWarning}${error.message}; the file is left out`);
        return [];
      }
      throw error;
    }
  }
  return found;
}

function looksLikeManifest(text: string): boolean {
  return /(?:^|[\s{,"'-])apiVersion["']?\s*:/.test(text) && /(?:^|[\s{,"'-])kind["']?\s*:/.test(text);
}

/** Somebody meant an object: ignoring the file is Argo CD's rule, saying nothing would hide the mistake. */
function looksForgotten(text: string): boolean {
  return /^(?:apiVersion|kind|metadata):/m.test(text);
}

function jsonStream(context: RenderContext, text: string, where: string): JsonTree[] {
  try {
    return parseJsonStream(text, context.limits.depth);
  } catch (error) {
    if (!(error instanceof HawserError)) throw error;
    throw new HawserError(error.code, `${where}: ${error.message}`, { data: { where, ...error.data } });
  }
}

function withoutKind(where: string, tree: JsonTree): HawserError {
  const missing =
    tree instanceof Map ? ['apiVersion', 'kind'].filter((key) => stringAt(tree, key) === undefined) : ['kind'];
  return new HawserError('object-invalid', `${where} has no ${missing.join(', no ')}`, {
    data: { where, missing },
    hint: 'Every object needs apiVersion, kind and metadata.name.',
  });
}
