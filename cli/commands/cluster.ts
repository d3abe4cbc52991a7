import type { Command } from 'commander';
import type { ClusterView } from '#shared/messages/api.ts';
import { askFirst } from '../ask-first.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { printList } from '../get/print-list.ts';
import { viewOf } from '../get/views.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, remark, say, sayText } from '../output/print.ts';
import { examples } from '../program.ts';

interface AddOptions {
  label: Record<string, string>;
  apiServer: string[];
}

export function register(command: Command, context: Context): void {
  command.addHelpText(
    'after',
    examples([
      ['hawser cluster list', 'what is registered, and whether its agent is there'],
      ['hawser cluster add production --label env=production', 'register one, and see how to install its agent'],
      ['hawser cluster remove old', 'forget one; what runs in it goes on running'],
    ]),
  );
  addCommand(command, context);
  command
    .command('list')
    .description('List clusters.')
    .addHelpText('after', examples([['hawser cluster list -o wide', 'with versions, memory and labels']]))
    .action(async (_options: object, self: Command) => {
      const filter = { names: [], namespace: undefined, labels: undefined, single: false };
      await printList(context, connect(context, self), viewOf('clusters'), filter, formatOf(self));
    });
  command
    .command('remove')
    .description('Forget a cluster. What runs in it goes on running.')
    .argument('<name>', 'its name')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser cluster remove old --yes', 'without a question']]))
    .action(async (name: string, options: { yes?: boolean }, self: Command) => {
      const client = connect(context, self);
      await askFirst(context, `Forget cluster ${oneLine(name)}?`, options.yes);
      await client.delete(`/api/v1/clusters/${encodeURIComponent(name)}`);
      say(context, `cluster ${oneLine(name)} is removed`);
    });
}

function addCommand(command: Command, context: Context): void {
  command
    .command('add')
    .description('Register a cluster and print how to install its agent.')
    .argument('<name>', 'its name: a-z, 0-9 and -')
    .option('--label <key=value>', 'a label; may be repeated', collectLabel, {})
    .option(
      '--api-server <url>',
      'address by which declarations may name it; may be repeated',
      (one, all: string[]) => [...all, one],
      [],
    )
    .addHelpText('after', examples([['hawser cluster add production --label env=production', 'register one']]))
    .action(async (name: string, options: AddOptions, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const answer = await connect(context, self).post<{ cluster: ClusterView; token: string; install: string }>(
        '/api/v1/clusters',
        {
          name,
          ...(Object.keys(options.label).length > 0 ? { labels: options.label } : {}),
          ...(options.apiServer.length > 0 ? { servers: options.apiServer } : {}),
        },
      );
      if (format === 'json' || format === 'yaml') {
        await printData(context, format, answer);
        return;
      }
      remark(
        context,
        `cluster ${oneLine(name)} is registered; install its agent with the token below, which is shown only now:\n`,
      );
      sayText(context, answer.install);
    });
}

function collectLabel(text: string, before: Record<string, string>): Record<string, string> {
  const [, key, value] = /^([^=\s]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw usage(`${JSON.stringify(text)} is not a label`, 'Write it as key=value.');
  return { ...before, [key]: value };
}
