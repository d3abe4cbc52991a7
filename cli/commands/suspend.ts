import type { Command } from 'commander';
import { changeEach } from '../change-each.ts';
import type { Context } from '../context.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command
    .argument('<application...>', 'id, name or namespace/name')
    .addHelpText(
      'after',
      examples([
        ['hawser suspend podinfo', 'Git and cluster may differ from now on'],
        ['hawser suspend podinfo redis', 'both'],
      ]),
    )
    .action(async (names: string[], _options: object, self: Command) => {
      await changeEach(context, self, names, { verb: 'suspend', done: 'is suspended' });
    });
}
