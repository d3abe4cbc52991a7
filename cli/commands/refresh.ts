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
        ['hawser refresh podinfo', 'do not wait for the next poll'],
        ['hawser refresh podinfo && hawser wait podinfo', 'and wait for what comes of it'],
      ]),
    )
    .action(async (names: string[], _options: object, self: Command) => {
      await changeEach(context, self, names, { verb: 'refresh', done: 'is being read again' });
    });
}
