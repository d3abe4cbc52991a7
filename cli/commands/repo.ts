import type { Command } from 'commander';
import { askFirst, readSecret } from '../ask-first.ts';
import { readCredentials, type CredentialOptions } from '../repository-credentials.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { printList } from '../get/print-list.ts';
import { viewOf } from '../get/views.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, printTable, remark, say, type Format } from '../output/print.ts';
import { examples } from '../program.ts';

interface AddOptions extends CredentialOptions {
  name?: string;
  webhookSecret?: string;
}

interface Template {
  id: string;
  url: string;
  kind?: string;
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
      ['hawser repo rotate-secret gitops', 'sign its webhooks with another secret'],
      ['hawser repo remove gitops', 'forget one'],
    ]),
  );
  registerAdd(command, context);
  registerRotate(command, context);
  command
    .command('list')
    .description('List repositories.')
    .option('--templates', 'credentials for all repositories below a URL, as Argo CD has in repo-creds')
    .addHelpText('after', examples([['hawser repo list -o wide', 'with credentials and webhook paths']]))
    .action(async (options: { templates?: boolean }, self: Command) => {
      const format = formatOf(self);
      if (options.templates === true) return listTemplates(context, connect(context, self), format);
      const filter = { names: [], namespace: undefined, labels: undefined, single: false };
      return printList(context, connect(context, self), viewOf('repositories'), filter, format);
    });
  command
    .command('remove')
    .description('Forget a repository that no application reads.')
    .argument('<name>', 'its name')
    .option('--template', 'forget credentials for all repositories below a URL instead')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser repo remove gitops --yes', 'without a question']]))
    .action(async (name: string, options: { yes?: boolean; template?: boolean }, self: Command) => {
      const client = connect(context, self);
      const what = options.template === true ? 'template' : 'repository';
      await askFirst(context, `Forget ${what} ${oneLine(name)}?`, options.yes);
      const path = `/api/v1/repositories/${options.template === true ? 'templates/' : ''}${encodeURIComponent(name)}`;
      await client.delete(path);
      say(context, `${what} ${oneLine(name)} is removed`);
    });
}

function registerRotate(command: Command, context: Context): void {
  command
    .command('rotate-secret')
    .description("Sign a repository's webhooks with another secret; the one before stays valid for a day.")
    .argument('<name>', 'its name')
    .option('--webhook-secret <secret>', 'at least 32 characters; made up when absent; - reads it from standard input')
    .option('--now', 'refuse the one before at once, because it was stolen')
    .addHelpText(
      'after',
      examples([
        ['hawser repo rotate-secret gitops', 'then put the new one into the Git host within a day'],
        ['hawser repo rotate-secret gitops --now', 'pushes are found by polling until the Git host has the new one'],
      ]),
    )
    .action(async (name: string, options: { webhookSecret?: string; now?: boolean }, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const path = `/api/v1/repositories/${encodeURIComponent(name)}/webhook-secret`;
      const answer = await connect(context, self).post<{ webhookSecret: string; previousUntil: string }>(path, {
        ...(await webhookSecretOf(context, options)),
        ...(options.now === true ? { overlapHours: 0 } : {}),
      });
      if (format === 'json' || format === 'yaml') return printData(context, format, answer);
      say(context, `the webhook secret of ${oneLine(name)} is rotated`);
      const until = options.now === true ? 'is refused from now on' : `is taken until ${oneLine(answer.previousUntil)}`;
      remark(context, `Secret: ${oneLine(answer.webhookSecret)}`);
      remark(context, `Put it into the webhook of the Git host; the one before ${until}.`);
      return undefined;
    });
}

async function listTemplates(context: Context, client: Client, format: Format): Promise<void> {
  const { items } = await client.get<{ items: Template[] }>('/api/v1/repositories/templates');
  if (format === 'json' || format === 'yaml') return printData(context, format, { items });
  printTable(
    context,
    items,
    [
      { header: 'NAME', of: ({ id }) => id },
      { header: 'URL', of: ({ url }) => url },
      { header: 'CREDENTIALS', of: ({ kind }) => kind ?? 'none' },
    ],
    { wide: format === 'wide' },
  );
  return undefined;
}

function registerAdd(command: Command, context: Context): void {
  command
    .command('add')
    .description('Register a repository, and print where its webhook must point.')
    .argument('<url>', 'its address: https://…, git@host:path, ssh://… or codecommit::REGION://NAME')
    .option('--name <name>', 'what to call it')
    .option('--username <name>', 'user name for reading it')
    .option('--password <password>', 'password or token for reading it; - reads it from standard input')
    .option('--password-stdin', 'read the password from standard input')
    .option('--bearer-token <token>', 'token that is sent as a bearer; - reads it from standard input')
    .option('--bearer-token-stdin', 'read the bearer token from standard input')
    .option('--github-app-id <id>', 'id of a GitHub App')
    .option('--github-app-installation-id <id>', 'its installation; found when absent')
    .option('--github-app-private-key-path <file>', 'its private key')
    .option('--github-app-enterprise-base-url <url>', 'API of a GitHub Enterprise, as https://HOST/api/v3')
    .option('--ssh-private-key-path <file>', 'private key for reading it over ssh')
    .option('--ssh-passphrase <passphrase>', 'passphrase of that key; - reads it from standard input')
    .option('--known-hosts <file>', 'host keys in the format of known_hosts; those of the large hosts are known')
    .option('--codecommit', 'read it with the IAM role of the service')
    .option('--ca-file <file>', 'certificate authorities of the host, as PEM')
    .option('--webhook-secret <secret>', 'at least 32 characters; made up when absent; - reads it from standard input')
    .addHelpText(
      'after',
      examples([
        ['hawser repo add https://github.com/shop/gitops.git', 'a public one'],
        [
          'printenv GIT_TOKEN | hawser repo add https://github.com/shop/gitops.git --username x --password -',
          'a private one',
        ],
        ['hawser repo add git@github.com:shop/gitops.git --ssh-private-key-path deploy-key', 'with a deploy key'],
        [
          'hawser repo add https://github.com/shop/gitops.git --github-app-id 1 --github-app-private-key-path app.pem',
          'with a GitHub App',
        ],
        ['hawser repo add codecommit::eu-west-1://gitops --codecommit', 'in AWS CodeCommit'],
      ]),
    )
    .action(async (url: string, options: AddOptions, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const fromInput = [options.password, options.bearerToken, options.sshPassphrase, options.webhookSecret];
      if (fromInput.filter((value) => value === '-').length + flags(options) > 1)
        throw usage('only one secret can come from standard input');
      const answer = await connect(context, self).post<Added>('/api/v1/repositories', {
        url,
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(await readCredentials(context, url, options)),
        ...(await webhookSecretOf(context, options)),
      });
      if (format === 'json' || format === 'yaml') await printData(context, format, answer);
      else tell(context, answer);
    });
}

function flags({ passwordStdin, bearerTokenStdin }: AddOptions): number {
  return Number(passwordStdin === true) + Number(bearerTokenStdin === true);
}

async function webhookSecretOf(context: Context, options: AddOptions): Promise<{ webhookSecret?: string }> {
  const webhookSecret = await readSecret(context, options.webhookSecret);
  return webhookSecret === undefined ? {} : { webhookSecret };
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
