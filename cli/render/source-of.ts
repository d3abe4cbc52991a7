import { compileArgoApplication } from '#shared/domain/compile/argo-application.ts';
import { compileFluxKustomization } from '#shared/domain/compile/flux-kustomization.ts';
import { declaredRole } from '#shared/domain/declared-kinds.ts';
import type { Application, Source } from '#shared/domain/application.ts';
import { usage } from '../failure.ts';
import type { ReadObject } from '../read-objects.ts';

/** What is rendered: a folder with the options that its application declares, or with none. */
export interface LocalSource {
  source: Source;
  name: string;
  namespace: string;
}

const anyCluster = { homeCluster: 'local', defaultCluster: 'local', resolveCluster: () => 'local' };

/** A folder without an application: the tool is the one that its files ask for. Pure. */
export function plainSource(path: string, name: string): LocalSource {
  const directory = { recurse: false, include: '', exclude: '' };
  return {
    source: { repository: '', url: '', revision: '', path, render: { tool: 'auto', directory } },
    name,
    namespace: 'default',
  };
}

/**
 * The folder with the options of the application in these objects. Of several applications, or sources, the one counts that
 * renders this folder. Throws a usage failure where none does, and what compiling throws. Pure.
 */
export function declaredSource(path: string, objects: readonly ReadObject[], file: string): LocalSource {
  const applications = objects
    .filter(({ object }) => declaredRole(object) === 'application')
    .map(({ object }) => object);
  const compiled = applications.map((object): Application => {
    if (object['kind'] === 'Application') return compileArgoApplication(object, anyCluster).application;
    // Which repository it is does not matter: the files are here.
    return compileFluxKustomization(object, { spec: { url: 'https://localhost' } }, anyCluster).application;
  });
  const candidates = compiled.flatMap((application) => application.sources.map((source) => ({ application, source })));
  const wanted = `/${trimmed(path)}`;
  // A repository may lie in a folder of another one: the end of the path counts as well.
  const fitting = candidates
    .filter(({ source }) => wanted.endsWith(`/${trimmed(source.path)}`))
    .toSorted((a, b) => b.source.path.length - a.source.path.length);
  const found = candidates.length === 1 ? candidates[0] : fitting[0];
  if (found === undefined) {
    const paths = candidates.map(({ source }) => source.path);
    throw usage(
      candidates.length === 0
        ? `${file} declares no application`
        : `no application in ${file} renders ${path === '' ? '.' : path}`,
      paths.length === 0
        ? 'It must hold an Argo CD Application or a Flux Kustomization.'
        : `They render ${paths.join(', ')}.`,
    );
  }
  const { application, source } = found;
  return { source: { ...source, path }, name: application.name, namespace: application.destinationNamespace };
}

function trimmed(path: string): string {
  return path.replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');
}
