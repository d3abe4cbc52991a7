import { Option, type Command } from 'commander';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { askFirst } from '../ask-first.ts';
import { awaitGoals } from '../await-goals.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { findApplications, readApplication } from '../find-application.ts';
import { uidOf } from '../goal.ts';
import { counted } from '../output/count.ts';
import { oneLine } from '../output/escape.ts';
import { remark, say } from '../output/print.ts';
import { examples } from '../program.ts';

interface Options {
  cascade: 'orphan' | 'foreground' | 'background';
  yes?: boolean;
  wait?: boolean;
  timeout: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<application...>', 'id, name or namespace/name')
    .addOption(
      new Option('--cascade <how>', 'what becomes of its objects: orphan leaves them, the others delete them')
        .choices(['orphan', 'foreground', 'background'])
        .default('orphan'),
    )
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'wait until it is gone')
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['hawser delete podinfo', 'forget it; what runs goes on running'],
        ['hawser delete podinfo --cascade foreground --wait', 'delete its objects too'],
        ['hawser delete podinfo redis --yes', 'without a question'],
      ]),
    )
    .action(async (names: string[], options: Options, self: Command) => {
      await deleteAll(context, connect(context, self), names, options);
    });
}

async function deleteAll(context: Context, client: Client, names: readonly string[], options: Options): Promise<void> {
  const applications = await findApplications(client, names);
  const objects = applications.reduce((sum, one) => sum + one.objects, 0);
  const what = applications.map(({ name }) => oneLine(name)).join(', ');
  const fate =
    options.cascade === 'orphan'
      ? `leave ${counted(objects, 'object')} in the cluster`
      : `and delete ${counted(objects, 'object')}`;
  await askFirst(context, `Delete ${what} ${options.cascade === 'orphan' ? `and ${fate}` : fate}?`, options.yes);
  const uids = new Map<string, string | undefined>();
  for (const application of applications) {
    const detail = options.wait === true ? await readApplication(client, application.id) : undefined;
    uids.set(application.id, detail === undefined ? undefined : uidOf(detail));
    await client.delete<Accepted>(`/api/v1/applications/${application.id}`, { cascade: options.cascade });
    say(
      context,
      `${oneLine(application.name)} is being deleted${options.cascade === 'orphan' ? '; its objects stay' : ''}`,
    );
  }
  for (const { name, parent } of applications) {
    if (parent === undefined || applications.some(({ id }) => id === parent)) continue;
    remark(
      context,
      `${context.errColour.paint('changing', 'warning:')} ${oneLine(name)} is declared by application ${oneLine(parent)}, which declares it again as long as Git does`,
    );
  }
  if (options.wait !== true) return;
  const list = applications.map((application) => ({
    application,
    goals: [{ kind: 'deleted' as const, uid: uids.get(application.id) }],
    done: oneLine(application.name),
  }));
  context.setExitCode(await awaitGoals(client, context, list, options.timeout));
}
