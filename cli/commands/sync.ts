import type { Command } from 'commander';
import type { ApplicationDetail, ApplicationSummary } from '#shared/messages/api.ts';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { awaitGoals, type Waiting } from '../await-goals.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { exitCode, Failure, refused, usage } from '../failure.ts';
import { findApplications, readApplication } from '../find-application.ts';
import { nearest } from '../near.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, say } from '../output/print.ts';
import { examples } from '../program.ts';
import { readAnew } from '../read-anew.ts';

interface Options {
  prune?: boolean;
  force?: boolean;
  dryRun?: boolean;
  published?: boolean;
  resource: string[];
  wait?: boolean;
  timeout: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<application...>', 'id, name or namespace/name')
    .option('--prune', 'also delete what is no longer desired')
    .option('--force', 'delete and create anew what cannot be changed')
    .option('--dry-run', 'let the cluster check everything, change nothing')
    .option(
      '--resource <group:kind:namespace/name>',
      'only this object; may be repeated',
      (one, all: string[]) => [...all, one],
      [],
    )
    .option('--published', 'take what was published last, without reading Git before')
    .option('--wait', 'wait until it is done and healthy')
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['git push && hawser sync podinfo --wait', 'bring what was pushed into the cluster'],
        ['hawser sync podinfo', 'ask for a sync and go on'],
        ['hawser sync podinfo redis --wait --timeout 2m', 'wait for both to be healthy'],
        ['hawser sync podinfo --prune', 'with what has left Git being deleted'],
        ['hawser sync podinfo --published', 'while the Git host is away'],
        ['hawser sync podinfo --resource apps:Deployment:shop/web', 'only one object'],
      ]),
    )
    .action(async (names: string[], options: Options, self: Command) => {
      await sync(context, connect(context, self), names, options, self);
    });
}

async function sync(context: Context, client: Client, names: string[], options: Options, self: Command): Promise<void> {
  const format = formatOf(self, ['json', 'yaml', 'name']);
  const applications = await findApplications(client, names);
  const end = context.now() + options.timeout;
  if (options.published !== true) await readAnew(client, context, applications, options.timeout);
  const requests = await Promise.all(
    applications.map(async (application) => {
      const detail = await readApplication(client, application.id);
      if (detail === undefined) throw refused(`application ${application.id} is gone`);
      return { application, detail, resources: options.resource.map((typed) => keyOfTyped(typed, detail)) };
    }),
  );
  const accepted: { request: (typeof requests)[number]; answer: Accepted }[] = [];
  for (const request of requests) {
    const answer = await client.post<Accepted>(`/api/v1/applications/${request.application.id}/sync`, {
      ...(options.prune === true ? { prune: true } : {}),
      ...(options.force === true ? { force: true } : {}),
      ...(options.dryRun === true ? { dryRun: true } : {}),
      ...(request.resources.length > 0 ? { resources: request.resources } : {}),
    });
    accepted.push({ request, answer });
    if (format === 'table' && options.wait !== true)
      say(context, `${oneLine(request.application.name)} is being synced${generationText(answer)}`);
  }
  if (options.wait === true) {
    const waiting = accepted.map(({ request, answer }) =>
      waitingFor(request.application, request.detail, answer, options.dryRun !== true),
    );
    context.setExitCode(await awaitGoals(client, context, waiting, options.timeout, end));
  }
  if (format === 'json' || format === 'yaml')
    await printData(context, format, { items: accepted.map(({ answer }) => answer) });
  if (format === 'name') for (const { request } of accepted) say(context, oneLine(request.application.id));
}

/** What `sync`, `rollback` and `confirm` wait for: the operation of the generation that was just asked for. */
export function waitingFor(
  application: ApplicationSummary,
  before: ApplicationDetail | undefined,
  answer: Accepted,
  healthy: boolean,
): Waiting {
  return {
    application,
    goals: [
      { kind: 'generation', generation: answer.generation, startedBefore: before?.operationState?.startedAt, healthy },
    ],
    done: `${oneLine(application.name)} ${healthy ? 'synced' : 'checked'}`,
  };
}

export function generationText(answer: Accepted): string {
  return answer.generation === undefined ? '' : ` (generation ${answer.generation})`;
}

/** `apps:Deployment:shop/web`, `:Service:web` or `Deployment/web` → the key of the one object that is meant. */
export function keyOfTyped(typed: string, { name, resources }: Pick<ApplicationDetail, 'name' | 'resources'>): string {
  const parts = typed.split(':');
  if (parts.length !== 3)
    throw usage(
      `${JSON.stringify(typed)} is not an object`,
      'Write it as group:Kind:namespace/name, as in apps:Deployment:shop/web.',
    );
  const [group = '', kind = '', path = ''] = parts;
  const [objectName = '', namespace] = path.split('/').toReversed();
  const found = resources.filter(
    (resource) =>
      resource.group === group &&
      resource.kind.toLowerCase() === kind.toLowerCase() &&
      resource.name === objectName &&
      (namespace === undefined || resource.namespace === namespace),
  );
  if (found.length === 1 && found[0] !== undefined) return found[0].key;
  const known = resources.map(
    (resource) =>
      `${resource.group}:${resource.kind}:${resource.namespace === '' ? '' : `${resource.namespace}/`}${resource.name}`,
  );
  const near = found.length > 1 ? known.filter((text) => text.endsWith(`/${objectName}`)) : nearest(typed, known);
  throw new Failure(
    exitCode.refused,
    found.length > 1
      ? `${JSON.stringify(typed)} means ${found.length} objects of ${name}`
      : `${name} has no object ${JSON.stringify(typed)}`,
    near.length > 0 ? `Did you mean ${near.map(oneLine).join(' or ')}?` : `See \`hawser tree ${name}\`.`,
  );
}
