import { InvalidArgumentError, type Command } from 'commander';
import { opensRepositories, secretUse } from '#shared/domain/compile/secret-use.ts';
import { handedInRole } from '#shared/domain/declared-kinds.ts';
import type { JsonObject } from '#shared/domain/json.ts';
import { splitApiVersion } from '#shared/domain/kube-object.ts';
import type { ApplyResult } from '#shared/messages/api-changes.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { exitCode, usage } from '../failure.ts';
import { readObjects, type ReadObject } from '../read-objects.ts';
import type { Shade } from '../output/colour.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, remark, say, type Format } from '../output/print.ts';
import { examples } from '../program.ts';

interface Options {
  filename: string[];
  recursive?: boolean;
  cluster?: string;
  dryRun?: boolean;
}

type Item = ApplyResult['items'][number] & { from: ReadObject };

/** What the API takes in one request. */
const objectsPerRequest = 1000;

const shadeByAction: Record<Item['action'], Shade> = {
  created: 'good',
  configured: 'changing',
  unchanged: 'muted',
  refused: 'bad',
};

export function register(command: Command, context: Context): void {
  command
    .option('-f, --filename <path>', 'file, folder, or - for standard input; may be repeated', collect, [])
    .option('-R, --recursive', 'also read folders in folders')
    .option('--cluster <name>', 'the cluster that "in-cluster" and Flux objects mean')
    .option('--dry-run', 'say what would happen, change nothing')
    .addHelpText(
      'after',
      examples([
        ['hawser apply -f app.yaml', 'one file, with any number of documents'],
        ['hawser apply -R -f clusters/production', 'a folder and its folders'],
        ['kubectl get applications -A -o yaml | hawser apply -f -', 'what an Argo CD has now'],
        ['hawser apply -f app.yaml --dry-run', 'only see what it would do'],
      ]),
    )
    .action(async (options: Options, self: Command) => {
      await apply(context, connect(context, self), options, formatOf(self, ['json', 'yaml', 'name']));
    });
}

async function apply(context: Context, client: Client, options: Options, format: Format): Promise<void> {
  if (options.filename.length === 0) {
    throw usage('there is nothing to apply', 'Name files or folders with -f, or -f - for standard input.');
  }
  const objects = await readObjects(context, options.filename, options.recursive ?? false);
  if (objects.length === 0) throw usage(`there are no objects in ${options.filename.join(', ')}`, folderHint(options));
  const items: Item[] = [];
  // What belongs into a cluster stays here: it may be a Secret, and the service has no use for it.
  const taken = await takenByService(client, objects);
  const ours = objects.filter((from) => taken.has(from));
  for (let start = 0; start < ours.length; start += objectsPerRequest) {
    const part = ours.slice(start, start + objectsPerRequest);
    const answer = await client.post<ApplyResult>('/api/v1/objects', {
      objects: part.map(({ object }) => object),
      ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
      ...(options.dryRun === true ? { dryRun: true } : {}),
    });
    items.push(...answer.items.map((item, index) => ({ ...item, from: part[index] ?? part[0]! })));
  }
  items.push(...objects.filter((from) => !taken.has(from)).map(notOurs));
  const inOrder = items.toSorted((a, b) => objects.indexOf(a.from) - objects.indexOf(b.from));
  await print(context, inOrder, format, options.dryRun === true);
  if (inOrder.some(({ action }) => action === 'refused')) context.setExitCode(exitCode.refused);
}

/** Objects that are sent. Of Secrets only those that open repositories, by their label or because a GitRepository says so. */
async function takenByService(client: Client, objects: readonly ReadObject[]): Promise<Set<ReadObject>> {
  const taken = new Set(objects.filter(({ object }) => !['credentials', undefined].includes(handedInRole(object))));
  const secrets = objects.filter(({ object }) => handedInRole(object) === 'credentials');
  for (const from of secrets) if (['repository', 'template'].includes(secretUse(from.object) ?? '')) taken.add(from);
  const others = secrets.filter(({ object }) => secretUse(object) === 'referenced');
  const here = objects.map(({ object }) => object);
  for (const from of others) if (opensRepositories(from.object, here)) taken.add(from);
  if (others.every((from) => taken.has(from))) return taken;
  const { items } = await client.get<{ items: JsonObject[] }>('/api/v1/objects/gitrepositories');
  for (const from of others) if (opensRepositories(from.object, items)) taken.add(from);
  return taken;
}

async function print(context: Context, items: readonly Item[], format: Format, dryRun: boolean): Promise<void> {
  if (format === 'json' || format === 'yaml') {
    await printData(context, format, {
      items: items.map(({ from, ...item }) => ({ ...item, file: from.file, line: from.line })),
    });
    return;
  }
  for (const item of items) {
    const name = oneLine(nameOf(item));
    if (item.action === 'refused') {
      remark(
        context,
        `${name} ${context.errColour.paint('bad', 'refused')}: ${oneLine(item.message ?? 'no reason given')}`,
      );
      remark(context, `       ${oneLine(item.from.file)}:${item.from.line}`);
    } else if (format === 'name') {
      say(context, name);
    } else {
      const action = context.colour.paint(shadeByAction[item.action], item.action);
      say(context, `${name} ${action}${dryRun ? ' (dry run)' : ''}`);
      if (item.message !== undefined)
        remark(context, `${context.errColour.paint('changing', 'warning:')} ${name}: ${oneLine(item.message)}`);
    }
  }
}

/** `application.argoproj.io/podinfo`, as kubectl names it. */
function nameOf({ kind, name, from }: Item): string {
  const { group } = splitApiVersion(String(from.object['apiVersion'] ?? ''));
  return `${[kind.toLowerCase(), group].filter((part) => part !== '').join('.')}/${name}`;
}

function notOurs(from: ReadObject): Item {
  const metadata = (from.object['metadata'] ?? {}) as Record<string, unknown>;
  const kind = String(from.object['kind'] ?? 'object');
  return {
    kind,
    namespace: String(metadata['namespace'] ?? ''),
    name: String(metadata['name'] ?? ''),
    action: 'refused',
    message: `a ${kind} belongs into a cluster: put it into the repository of an application (it was not sent)`,
    from,
  };
}

function collect(value: string, before: string[]): string[] {
  if (value === '') throw new InvalidArgumentError('It is empty.');
  return [...before, value];
}

function folderHint({ recursive }: Options): string {
  return recursive === true
    ? 'Files must end in .yaml, .yml or .json.'
    : 'Files must end in .yaml, .yml or .json; -R reads folders in folders as well.';
}
