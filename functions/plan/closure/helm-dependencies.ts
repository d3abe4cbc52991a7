import { HawserError } from '#shared/errors.ts';
import { isJsonObject } from '#shared/domain/json.ts';
import { readYaml } from './read-yaml.ts';
import { childOf, resolvePath } from './repository-path.ts';
import { addFolder, entryAt, readEntry } from './walk.ts';
import type { Walk } from './walk.ts';

interface Dependency {
  name: string;
  repository: string;
}

type AddChart = (walk: Walk, folder: string, to: string) => Promise<void>;

const NESTING = 8;

/**
 * Sees to it that every dependency of a chart will be found under its `charts/` (Helm itself never fetches, NT-41): vendored
 * ones are there, those with a `file://` address are put there, others are an error that says what to do.
 *
 * @param to Where the render finds the chart.
 */
export async function addDependencies(
  walk: Walk,
  folder: string,
  to: string,
  addChart: AddChart,
  depth = 0,
): Promise<void> {
  for (const dependency of await dependenciesOf(walk, folder)) {
    if (await isVendored(walk, folder, dependency.name)) continue;
    const where = `${childOf(folder, 'Chart.yaml')}: dependency ${dependency.name}`;
    if (!dependency.repository.startsWith('file://')) throw notVendored(where, dependency);
    if (depth >= NESTING) throw new HawserError('source-too-large', `${where} is nested deeper than ${NESTING} charts`);
    const local = resolvePath(folder, dependency.repository.slice('file://'.length), where);
    if (local === folder) throw new HawserError('source-invalid', `${where} is the chart itself`);
    const target = childOf(to, `charts/${dependency.name}`);
    await addChart(walk, local, target);
    await addDependencies(walk, local, target, addChart, depth + 1);
  }
}

/** `dependencies` of Chart.yaml, or of requirements.yaml in charts of version 1. */
async function dependenciesOf(walk: Walk, folder: string): Promise<Dependency[]> {
  const found: Dependency[] = [];
  for (const name of ['Chart.yaml', 'requirements.yaml']) {
    const path = childOf(folder, name);
    const entry = await entryAt(walk, path, path);
    if (entry === undefined) continue;
    const [chart] = readYaml(await readEntry(walk, entry), path);
    const list: unknown = isJsonObject(chart) ? chart['dependencies'] : undefined;
    for (const item of Array.isArray(list) ? list : []) found.push(dependencyOf(item, path));
  }
  return found;
}

function dependencyOf(item: unknown, where: string): Dependency {
  const name: unknown = isJsonObject(item) ? item['name'] : undefined;
  const repository: unknown = isJsonObject(item) ? item['repository'] : undefined;
  // The name becomes a path: NT-42 has charts that are called `..`.
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]{0,127}$/.test(name)) {
    throw new HawserError('source-invalid', `${where}: a dependency has no name, or one that is not allowed`);
  }
  return { name, repository: typeof repository === 'string' ? repository : '' };
}

async function isVendored(walk: Walk, folder: string, name: string): Promise<boolean> {
  const charts = childOf(folder, 'charts');
  addFolder(walk, charts, true);
  if ((await entryAt(walk, charts, charts))?.type !== 'tree') return false;
  const entries = await walk.tree.list(charts);
  return entries.some((entry) => {
    const child = entry.path.slice(charts.length + 1);
    return entry.type === 'tree' ? child === name : child.startsWith(`${name}-`) && child.endsWith('.tgz');
  });
}

function notVendored(where: string, { repository }: Dependency): HawserError {
  const from = repository === '' ? 'nowhere' : repository.replace(/\/\/[^/@]*@/, '//').slice(0, 200);
  return new HawserError('unsupported', `${where} comes from ${from} and is not in the chart's charts folder`, {
    data: { repository: from },
    hint: "Run 'helm dependency update' and commit the charts folder, or use a file:// dependency.",
  });
}
