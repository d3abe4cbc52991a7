import type { Command } from 'commander';
import { changeEach } from '../change-each.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { findApplications } from '../find-application.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, say } from '../output/print.ts';
import { examples } from '../program.ts';
import { readAnew } from '../read-anew.ts';

interface Options {
  wait?: boolean;
  timeout: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<application...>', 'id, name or namespace/name')
    .option('--wait', 'wait until what lies in Git is published')
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['hawser refresh podinfo', 'do not wait for the next poll'],
        ['hawser refresh podinfo --wait && hawser wait podinfo', 'and wait for what comes of it'],
      ]),
    )
    .action(async (names: string[], options: Options, self: Command) => {
      if (options.wait === true) await refreshAndWait(context, self, names, options.timeout);
      else await changeEach(context, self, names, { verb: 'refresh', done: 'is being read again' });
    });
}

async function refreshAndWait(context: Context, command: Command, names: string[], timeoutMs: number): Promise<void> {
  const format = formatOf(command, ['json', 'yaml', 'name']);
  const client = connect(context, command);
  const applications = await findApplications(client, names);
  const accepted = await readAnew(client, context, applications, timeoutMs);
  for (const { id, name } of applications) {
    if (format === 'table') say(context, `${oneLine(name)} is as Git says`);
    if (format === 'name') say(context, oneLine(id));
  }
  if (format === 'json' || format === 'yaml') await printData(context, format, { items: accepted });
}
