import type { Command } from 'commander';
import { isJsonObject, type Json } from '#shared/domain/json.ts';
import { inParallel } from '#shared/domain/parallel.ts';
import type { ApplicationDetail, ResourceDetail } from '#shared/messages/api.ts';
import type { z } from 'zod';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { exitCode, refused } from '../failure.ts';
import { findApplication, readApplication } from '../find-application.ts';
import { inReadingOrder, ownedPart, withoutServerFields } from '../object-diff.ts';
import type { Shade } from '../output/colour.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, remark, say } from '../output/print.ts';
import { unifiedDiff, type DiffLine } from '../output/unified-diff.ts';
import { examples } from '../program.ts';
import { keyOfTyped } from './sync.ts';

type Resource = z.infer<typeof ResourceDetail>;

const shadeByKind: Record<DiffLine['kind'], Shade> = { same: 'plain', removed: 'bad', added: 'good', hunk: 'muted' };
const signByKind: Record<DiffLine['kind'], string> = { same: ' ', removed: '-', added: '+', hunk: '' };

export function register(command: Command, context: Context): void {
  command
    .argument('<application>', 'id, name or namespace/name')
    .option(
      '--resource <group:kind:namespace/name>',
      'only this object; may be repeated',
      (one, all: string[]) => [...all, one],
      [],
    )
    .option('--all', 'look at every object, not only at those that are known to differ')
    .addHelpText(
      'after',
      `\n- is what is live, + is what a sync would make of it. Exit code 1 when anything differs.\n${examples([
        ['hawser diff podinfo', 'everything that is out of sync'],
        ['hawser diff podinfo --resource apps:Deployment:shop/web', 'one object'],
        ['hawser diff podinfo > /dev/null || hawser sync podinfo', 'sync only what differs'],
      ])}`,
    )
    .action(async (name: string, options: { resource: string[]; all?: boolean }, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const client = connect(context, self);
      const { id } = await findApplication(client, name);
      const detail = await readApplication(client, id);
      if (detail === undefined) throw refused(`application ${id} is gone`);
      const keys = keysToCompare(detail, options);
      const resources = await readAll(client, id, keys);
      const differing = resources.filter((resource) => diffOf(resource).length > 0);
      if (format === 'json' || format === 'yaml') await printData(context, format, { items: differing });
      else for (const resource of differing) await print(context, resource);
      for (const { key, error } of resources) {
        if (error !== undefined)
          remark(context, `${context.errColour.paint('changing', 'warning:')} ${oneLine(key)}: ${oneLine(error)}`);
      }
      if (detail.stale)
        remark(
          context,
          `${context.errColour.paint('changing', 'warning:')} the agent of ${oneLine(detail.cluster)} is silent; what is known is old`,
        );
      if (differing.length > 0) context.setExitCode(exitCode.differs);
    });
}

async function print(context: Context, resource: Resource): Promise<void> {
  const key = oneLine(resource.key).replace(/^\//, '');
  const { paint } = context.colour;
  say(context, `${paint('strong', `--- live/${key}`)}\n${paint('strong', `+++ desired/${key}`)}`);
  const lines = await linesOf(resource);
  for (const { kind, text } of lines) say(context, paint(shadeByKind[kind], `${signByKind[kind]}${text}`));
}

function keysToCompare(detail: ApplicationDetail, options: { resource: string[]; all?: boolean }): string[] {
  if (options.resource.length > 0) return options.resource.map((typed) => keyOfTyped(typed, detail));
  // Nobody compares a suspended application by itself: what is known of it may be old.
  if (options.all !== true && !detail.suspended) return differingKeys(detail);
  return detail.resources.filter(({ hook }) => hook === undefined).map(({ key }) => key);
}

/** Objects that are out of sync, or have drifted without having been corrected. */
function differingKeys({ resources, drift }: ApplicationDetail): string[] {
  const outOfSync = resources.filter(({ status, hook }) => status === 'OutOfSync' && hook === undefined);
  const drifted = drift.filter(({ correctedAt }) => correctedAt === undefined);
  return [...new Set([...outOfSync, ...drifted].map(({ key }) => key))];
}

async function readAll(client: Client, id: string, keys: readonly string[]): Promise<Resource[]> {
  const resources: Resource[] = [];
  await inParallel([...keys.entries()], 8, async ([index, key]) => {
    resources[index] = await client.get<Resource>(`/api/v1/applications/${id}/resource`, { key });
  });
  return resources;
}

/** Desired and live as they are compared; a resource of which only the agent could tell has no difference to show. */
function sidesOf({ desired, live, error }: Resource): { live: Json | undefined; desired: Json | undefined } {
  const wanted = (desired ?? undefined) as Json | undefined;
  if (error !== undefined && live === undefined) return { live: wanted, desired: wanted };
  const is = (live ?? undefined) as Json | undefined;
  if (wanted === undefined) return { live: isJsonObject(is) ? withoutServerFields(is) : is, desired: undefined };
  return { live: ownedPart(wanted, is), desired: wanted };
}

function diffOf(resource: Resource): string[] {
  const { live, desired } = sidesOf(resource);
  const isSame = JSON.stringify(inReadingOrder(live)) === JSON.stringify(inReadingOrder(desired));
  if (!isSame) return ['objects'];
  return resource.differences.map(({ path }) => path);
}

async function linesOf(resource: Resource): Promise<DiffLine[]> {
  const { toYaml } = await import('../output/yaml.ts');
  const { live, desired } = sidesOf(resource);
  const textOf = (value: Json | undefined): string => (value === undefined ? '' : toYaml(inReadingOrder(value)));
  const lines = unifiedDiff(textOf(live), textOf(desired));
  if (lines.length > 0) return lines;
  // The agent saw a difference that the objects do not show any more, or not to us (a masked Secret): its own words.
  return resource.differences.flatMap(({ path, live: is, desired: wanted }): DiffLine[] => [
    { kind: 'hunk', text: `@@ ${oneLine(path)} @@` },
    ...(is === undefined ? [] : [{ kind: 'removed' as const, text: oneLine(is) }]),
    ...(wanted === undefined ? [] : [{ kind: 'added' as const, text: oneLine(wanted) }]),
  ]);
}
