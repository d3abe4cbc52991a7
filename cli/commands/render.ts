import { statSync } from 'node:fs';
import { join, relative, resolve, basename } from 'node:path';
import type { Command } from 'commander';
import { HawserError } from '#shared/errors.ts';
import type { Log } from '#shared/ports/log.ts';
import type { RenderResult } from '#shared/ports/renderer.ts';
import type { Context } from '../context.ts';
import { exitCode, Failure, usage } from '../failure.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printYaml, remark, say } from '../output/print.ts';
import { examples } from '../program.ts';
import { readObjects } from '../read-objects.ts';
import { createFolderTree, repositoryRoot } from '../render/folder-tree.ts';
import { declaredSource, plainSource, type LocalSource } from '../render/source-of.ts';

interface Options {
  app?: string;
  kubeVersion?: string;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<path>', 'folder with manifests, a kustomization or a chart')
    .option('--app <file>', 'file with the application whose options apply')
    .option('--kube-version <version>', 'Kubernetes version that charts are told')
    .addHelpText(
      'after',
      `\nUses the tools and the limits of the service. Exit code 1 when it cannot be rendered.\n${examples([
        ['hawser render overlays/production', 'what a push of this folder would give'],
        ['hawser render charts/redis --app apps/redis.yaml', 'with the values of its application'],
        ['hawser render overlays/production | kubectl diff -f -', 'compare with a cluster'],
      ])}`,
    )
    .action(async (path: string, options: Options, self: Command) => {
      const format = formatOf(self, ['json', 'yaml', 'name']);
      const folder = resolve(context.cwd, path);
      if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
        throw usage(`there is no folder ${JSON.stringify(path)}`);
      const { objects, warnings } = await renderFolder(context, folder, options);
      for (const warning of warnings)
        remark(context, `${context.errColour.paint('changing', 'warning:')} ${oneLine(warning)}`);
      if (objects.length === 0) remark(context, 'No objects are rendered.');
      if (format === 'json') say(context, `{"apiVersion":"v1","kind":"List","items":[${objects.join(',\n')}]}`);
      else if (format === 'name') for (const text of objects) say(context, oneLine(nameOf(text)));
      else for (const [index, text] of objects.entries()) await printYaml(context, await valueOf(text), index > 0);
    });
}

async function renderFolder(context: Context, folder: string, options: Options): Promise<RenderResult> {
  const root = repositoryRoot(folder);
  const path = relative(root, folder);
  const local =
    options.app === undefined ? plainSource(path, basename(folder)) : await sourceIn(context, path, options.app);
  // Loaded here: other commands must not pay for it.
  const [{ createRenderer }, { toolVersions }, { bundleOf, findClosure }] = await Promise.all([
    import('#shared/adapters/render/renderer.ts'),
    import('#shared/adapters/render/toolchain.ts'),
    import('#functions/plan/closure/find-closure.ts'),
  ]);
  try {
    const tree = createFolderTree(root);
    const closure = await findClosure(tree, local.source, {
      applicationName: local.name,
      namespace: local.namespace,
      kubeVersion: options.kubeVersion ?? toolVersions.kubectl,
      apiVersions: [],
    });
    const bundle = await bundleOf(tree, closure);
    const renderer = await createRenderer({ cacheDir: cacheFolder(context), workers: 1, log: silent });
    try {
      const result = await renderer.render(bundle, { tenant: 'local', signal: context.signal });
      return { ...result, warnings: [...closure.warnings, ...result.warnings] };
    } finally {
      await renderer.close();
    }
  } catch (error) {
    if (error instanceof HawserError) throw new Failure(exitCode.differs, error.message, error.hint, error);
    throw error;
  }
}

async function sourceIn(context: Context, path: string, file: string): Promise<LocalSource> {
  const objects = await readObjects(context, [file], false);
  try {
    return declaredSource(path, objects, file);
  } catch (error) {
    if (error instanceof HawserError) throw usage(`${file}: ${error.message}`, error.hint);
    throw error;
  }
}

/** The same folder as `npm start` uses: tools are unpacked once. */
function cacheFolder({ env, home }: Context): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(home, '.cache') : base, 'hawser');
}

async function valueOf(text: string): Promise<unknown> {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  // Larger numbers than JavaScript's own: they must come out as they went in.
  const { parseDocument } = await import('yaml');
  return parseDocument(text, { intAsBigInt: true }).toJS();
}

function nameOf(text: string): string {
  const { kind, metadata } = JSON.parse(text) as { kind: string; metadata?: { name?: string } };
  return `${kind.toLowerCase()}/${metadata?.name ?? ''}`;
}

function nothing(): void {}

/** The renderer's own log is for services; what matters comes as warnings and errors. */
const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
