import type { Command } from 'commander';
import { readSecret } from '../ask-first.ts';
import { createClient } from '../client.ts';
import { findTarget, loginFile, normaliseServer, saveLogin } from '../config.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { oneLine } from '../output/escape.ts';
import { remark, say } from '../output/print.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command
    .argument('[server]', 'address of the service; the one that is used now when absent')
    .addHelpText(
      'after',
      examples([
        ['hawser login https://hawser.example.com', 'asks for the token'],
        ['printenv TOKEN | hawser login hawser.example.com --token -', 'reads it from standard input'],
      ]),
    )
    .action(async (given: string | undefined, _options: object, self: Command) => {
      const options = self.optsWithGlobals<{ server?: string; token?: string }>();
      const address = given ?? options.server;
      const server = address === undefined ? findTarget(options, context).server : normaliseServer(address);
      const token = await askForToken(context, server, options.token);
      const client = createClient({ server, token, source: 'option' }, context);
      const session = await client.get<{ organisation: string; user: string; role: string }>('/api/v1/session');
      saveLogin(loginFile(context), { server, token });
      say(
        context,
        `logged in to ${server} as ${oneLine(session.user)} (${oneLine(session.role)}) of ${oneLine(session.organisation)}`,
      );
      if (server.startsWith('http://') && !isLoopback(server)) {
        remark(
          context,
          `${context.errColour.paint('changing', 'warning:')} ${server} is not encrypted: the token can be read on its way`,
        );
      }
    });
}

async function askForToken(context: Context, server: string, given: string | undefined): Promise<string> {
  const token = (await readSecret(context, given)) ?? (await context.ask(`Token for ${server}: `, { secret: true }));
  if (token === undefined) throw usage('there is no token, and nobody is there to ask', 'Pipe it in with --token -.');
  if (token.trim() === '') throw usage('the token is empty');
  return token.trim();
}

function isLoopback(server: string): boolean {
  return /^(localhost|127\..*|\[::1\])$/.test(new URL(server).hostname);
}
