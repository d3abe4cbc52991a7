import type { RenderOptions, Source } from '#shared/domain/application.ts';
import { HawserError } from '#shared/errors.ts';
import type { GitTree } from '#shared/ports/git-source.ts';
import { findClosure } from '#functions/plan/closure/find-closure.ts';
import type { Closure, ClosureContext } from '#functions/plan/closure/find-closure.ts';

export const context: ClosureContext = {
  applicationName: 'shop',
  namespace: 'shop-ns',
  kubeVersion: '1.35',
  apiVersions: ['v1'],
};

export function sourceAt(path: string, render: RenderOptions = auto()): Source {
  return { repository: 'demo', url: 'https://git.example.com/demo.git', revision: 'main', path, render };
}

export function auto(directory = { recurse: false, include: '', exclude: '' }): RenderOptions {
  return { tool: 'auto', directory };
}

export function pathsOf(closure: Closure): string[] {
  return closure.files.map(({ path }) => path);
}

/** The error that a walk ends with. */
export async function failureOf(tree: GitTree, source: Source): Promise<HawserError> {
  try {
    await findClosure(tree, source, context);
  } catch (error) {
    if (error instanceof HawserError) return error;
    throw error;
  }
  throw new Error('the walk did not fail');
}
