import type { Command } from 'commander';
import { loginFile, removeLogin } from '../config.ts';
import type { Context } from '../context.ts';
import { say } from '../output/print.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command.addHelpText('after', examples([['hawser logout', 'removes the file with server and token']])).action(() => {
    const file = loginFile(context);
    say(context, removeLogin(file) ? `logged out; ${file} is gone` : 'nobody was logged in');
  });
}
