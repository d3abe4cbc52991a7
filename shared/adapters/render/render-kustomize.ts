import { join } from 'node:path';
import type { KustomizeOptions } from '../../domain/application.ts';
import type { FoundDocument } from './collect-objects.ts';
import { editLikeArgo, hasKustomizeEdits } from './kustomize-edits.ts';
import { checkKustomizeGraph, openKustomization, saveKustomization } from './kustomize-graph.ts';
import { decodeText, readDocuments } from './read-documents.ts';
import { renderPlainKustomization } from './plain-kustomize.ts';
import { writeBundle, type RenderContext } from './render-context.ts';
import { runTool } from './run-tool.ts';

/** Argo CD's Kustomize tool: overrides as `kustomize edit` would write them into the user's file, then one build. */
export function renderKustomize(context: RenderContext, options: KustomizeOptions): FoundDocument[] {
  if (hasKustomizeEdits(options)) {
    const kustomization = openKustomization(context, context.path);
    editLikeArgo(kustomization.tree, options, (component) => existsIn(context, component));
    saveKustomization(context, kustomization);
  }
  checkKustomizeGraph(context);
  const plain = renderPlainKustomization(context);
  if (plain !== undefined) return plain;
  const text = decodeText(buildKustomization(context, false), 'the output of kustomize');
  return readDocuments(context, text, (index) => `document ${index} of kustomize’s output`);
}

/**
 * One process: kustomize's own binary where there is one, else kubectl's. Plugins, Helm inflation and remote bases are
 * off and cannot be switched on (NT-63…NT-65); `beyondRoot` lifts the load restriction for graphs that were checked.
 */
export function buildKustomization(context: RenderContext, beyondRoot: boolean): Buffer {
  const { kustomize, kubectl } = context.tools;
  const folder = join(context.source, context.path);
  writeBundle(context);
  const { stdout, stderr } = runTool(context, {
    name: 'kustomize',
    command: kustomize ?? kubectl,
    arguments: [
      kustomize === undefined ? 'kustomize' : 'build',
      ...(beyondRoot ? ['--load-restrictor', 'LoadRestrictionsNone'] : []),
      '--',
      folder,
    ],
  });
  for (const line of stderr.split('\n').slice(0, 20)) {
    const warning = /^# Warning: (.{1,500})/.exec(line)?.[1];
    if (warning !== undefined) context.warnings.push(warning);
  }
  return stdout;
}

/** True where a component's folder is in the bundle. */
export function existsIn({ files, path }: RenderContext, reference: string): boolean {
  const target = join('/', path, reference).slice(1);
  if (files.has(target)) return true;
  for (const file of files.keys()) if (target === '' || file.startsWith(`${target}/`)) return true;
  return false;
}
