import type { Command } from 'commander';
import { awaitGoals } from '../await-goals.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { usage } from '../failure.ts';
import { findApplications, readApplication, UnknownApplication } from '../find-application.ts';
import { uidOf, type Goal } from '../goal.ts';
import { oneLine } from '../output/escape.ts';
import { say } from '../output/print.ts';
import { examples } from '../program.ts';

const goals = ['healthy', 'synced', 'deleted', 'operation'] as const;
type GoalName = (typeof goals)[number];

export function register(command: Command, context: Context): void {
  command
    .argument('<application...>', 'id, name or namespace/name')
    .option(
      '--for <goal>',
      `${goals.join(', ')}; may be repeated or separated by commas (default: synced and healthy)`,
      collect,
      [],
    )
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['hawser wait podinfo', 'until it is synced and healthy'],
        ['hawser wait podinfo redis --for=healthy --timeout 90s', 'until both are healthy'],
        ['hawser wait podinfo --for=deleted', 'until it is gone'],
        ['hawser wait podinfo --for=operation', 'until the sync that runs is over'],
      ]),
    )
    .action(async (names: string[], options: { for: GoalName[]; timeout: number }, self: Command) => {
      const client = connect(context, self);
      const wanted: GoalName[] = options.for.length === 0 ? ['synced', 'healthy'] : options.for;
      const isDeletion = wanted.includes('deleted');
      const applications = [];
      for (const name of names) {
        try {
          applications.push(...(await findApplications(client, [name])));
        } catch (error) {
          if (!isDeletion || !(error instanceof UnknownApplication)) throw error;
          say(context, `${oneLine(name)} is gone`);
        }
      }
      const list = await Promise.all(
        applications.map(async (application) => {
          const detail = isDeletion ? await readApplication(client, application.id) : undefined;
          const uid = detail === undefined ? undefined : uidOf(detail);
          const aims = wanted.map((kind): Goal => (kind === 'deleted' ? { kind, uid } : { kind }));
          return { application, goals: aims, done: `${oneLine(application.name)} ${wanted.join(' and ')}` };
        }),
      );
      if (list.length > 0) context.setExitCode(await awaitGoals(client, context, list, options.timeout));
    });
}

function collect(value: string, before: GoalName[]): GoalName[] {
  const names = value.split(',').map((text) => {
    const goal = goals.find((one) => one === text.replace('condition=', '').toLowerCase());
    if (goal === undefined)
      throw usage(`one cannot wait for ${JSON.stringify(text)}`, `Use one of ${goals.join(', ')}.`);
    return goal;
  });
  return [...before, ...names];
}
