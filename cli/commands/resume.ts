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
        ['hawser resume podinfo', 'sync it again when Git says so'],
        ['hawser resume podinfo redis', 'both'],
      ]),
    )
    .action(async (names: string[], _options: object, self: Command) => {
      await changeEach(context, self, names, { verb: 'resume', done: 'is taken care of again' });
    });
}
