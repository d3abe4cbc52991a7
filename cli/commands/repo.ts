import type { Command } from 'commander';
import { askFirst, readSecret } from '../ask-first.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { printList } from '../get/print-list.ts';
import { viewOf } from '../get/views.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, printTable, remark, say } from '../output/print.ts';
import { examples } from '../program.ts';

interface AddOptions {
  name?: string;
  username?: string;
  password?: string;
  webhookSecret?: string;
}

interface Added {
  repository: { id: string; url: string };
  webhookSecret: string;
  webhookUrls: Record<string, string>;
}

export function register(command: Command, context: Context): void {
  command.addHelpText(
    'after',
    examples([
      ['hawser repo list', 'what is read, and whether that works'],
      ['hawser repo add https://github.com/shop/gitops.git', 'register a public one, and see its webhook'],
      ['hawser repo remove gitops', 'forget one'],
    ]),
  );
  command
    .command('add')
    .description('Register a repository, and print where its webhook must point.')
    .argument('<url>', 'its https address')
    .option('--name <name>', 'what to call it')
    .option('--username <name>', 'user name for reading it')
    .option('--password <password>', 'password or token for reading it; - reads it from standard input')
    .option('--webhook-secret <secret>', 'at least 32 characters; made up when absent; - reads it from standard input')
    .addHelpText(
      'after',
      examples([
        ['hawser repo add https://github.com/shop/gitops.git', 'a public one'],
        [
          'printenv GIT_TOKEN | hawser repo add https://github.com/shop/gitops.git --username x --password -',
          'a private one',
        ],
      ]),
    )
    .action(async (url: string, options: AddOptions, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      if (options.password === '-' && options.webhookSecret === '-')
        throw usage('only one secret can come from standard input');
      const answer = await connect(context, self).post<Added>('/api/v1/repositories', {
        url,
        ...(await given(context, options)),
      });
      if (format === 'json' || format === 'yaml') await printData(context, format, answer);
      else tell(context, answer);
    });
  command
    .command('list')
    .description('List repositories.')
    .addHelpText('after', examples([['hawser repo list -o wide', 'with credentials and webhook paths']]))
    .action(async (_options: object, self: Command) => {
      const filter = { names: [], namespace: undefined, labels: undefined, single: false };
      await printList(context, connect(context, self), viewOf('repositories'), filter, formatOf(self));
    });
  command
    .command('remove')
    .description('Forget a repository that no application reads.')
    .argument('<name>', 'its name')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser repo remove gitops --yes', 'without a question']]))
    .action(async (name: string, options: { yes?: boolean }, self: Command) => {
      const client = connect(context, self);
      await askFirst(context, `Forget repository ${oneLine(name)}?`, options.yes);
      await client.delete(`/api/v1/repositories/${encodeURIComponent(name)}`);
      say(context, `repository ${oneLine(name)} is removed`);
    });
}

async function given(context: Context, options: AddOptions): Promise<AddOptions> {
  const password = await readSecret(context, options.password);
  const webhookSecret = await readSecret(context, options.webhookSecret);
  return {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.username === undefined ? {} : { username: options.username }),
    ...(password === undefined ? {} : { password }),
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
  };
}

function tell(context: Context, { repository, webhookSecret, webhookUrls }: Added): void {
  say(context, `repository ${oneLine(repository.id)} is registered`);
  remark(
    context,
    '\nIt is polled in any case. To have pushes announced at once, add a webhook for push events at your Git host',
  );
  remark(context, `with content type application/json and this secret: ${oneLine(webhookSecret)}\n`);
  printTable(
    context,
    Object.entries(webhookUrls),
    [
      { header: 'GIT HOST', of: ([provider]) => provider },
      { header: 'WEBHOOK', of: ([, url]) => url },
    ],
    { wide: true },
  );
}
