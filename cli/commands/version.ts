import type { Command } from 'commander';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { Failure } from '../failure.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, say } from '../output/print.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command
    .option('--client', 'only of this program')
    .addHelpText(
      'after',
      examples([
        ['hawser version', 'of this program and of the service'],
        ['hawser version --client -o json', 'without asking the service'],
      ]),
    )
    .action(async (options: { client?: boolean }, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const server = options.client === true ? undefined : await serverVersion(context, self);
      const versions = { client: context.version, node: process.versions.node, ...server };
      if (format === 'json' || format === 'yaml') {
        await printData(context, format, versions);
        return;
      }
      say(context, `client: ${versions.client} (Node.js ${versions.node})`);
      if (server !== undefined) say(context, `server: ${oneLine(server.server ?? `unknown: ${server.error ?? ''}`)}`);
    });
}

/** The service's version; not being able to ask is no failure here. */
async function serverVersion(context: Context, command: Command): Promise<{ server?: string; error?: string }> {
  try {
    const { version } = await connect(context, command).get<{ version: string }>('/healthz');
    return { server: version };
  } catch (error) {
    if (error instanceof Failure) return { error: error.message };
    throw error;
  }
}
