import { Option, type Command } from 'commander';
import { parseExpiry } from '#shared/domain/expiry.ts';
import { HawserError } from '#shared/errors.ts';
import type { GrantedToken, TokenView } from '#shared/messages/api-tokens.ts';
import { askFirst } from '../ask-first.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { refused, usage } from '../failure.ts';
import { age, span } from '../output/age.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, printTable, remark, say } from '../output/print.ts';
import type { Column } from '../output/table.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command.addHelpText(
    'after',
    examples([
      ['hawser token list', 'who may look, who may change, and until when'],
      ['hawser token add vera --expires 90d', 'let somebody look for 90 days'],
      ['hawser token revoke 3f9a0c12d4e5b678', 'end one that leaked, at once'],
    ]),
  );
  listCommand(command, context);
  addCommand(command, context);
  revokeCommand(command, context);
}

function listCommand(command: Command, context: Context): void {
  command
    .command('list')
    .description('List the tokens of people; needs the role admin.')
    .addHelpText('after', examples([['hawser token list -o wide', 'with who granted them']]))
    .action(async (_options: object, self: Command) => {
      const format = formatOf(self);
      const items = await readTokens(connect(context, self));
      if (format === 'json' || format === 'yaml') return printData(context, format, { items });
      if (format === 'name') return items.forEach(({ id }) => say(context, `token/${oneLine(id)}`));
      if (items.length === 0) return remark(context, 'No tokens found.');
      return printTable(context, items, columns(context.now()), { wide: format === 'wide' });
    });
}

function addCommand(command: Command, context: Context): void {
  command
    .command('add')
    .description('Grant a token, and print its secret, which is shown only now.')
    .argument('<user>', 'whose it is: a name or an address, shown beside what is done with it')
    .addOption(new Option('--role <role>', 'what it may do').choices(['viewer', 'admin']).default('viewer'))
    .option('--expires <when>', 'duration (12h, 90d) or date (2027-01-31); it never ends by itself when absent')
    .addHelpText(
      'after',
      examples([
        ['hawser token add vera --expires 90d', 'look, but change nothing, for 90 days'],
        ['hawser token add ada --role admin', 'change everything, until it is revoked'],
        ['TOKEN=$(hawser token add ci --role admin --expires 2027-01-31)', 'for scripts: only the secret is printed'],
      ]),
    )
    .action(async (user: string, { role, expires }: { role: string; expires?: string }, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      checkExpiry(expires, context.now());
      const asked = { user, role, ...(expires === undefined ? {} : { expires }) };
      const granted = await connect(context, self).post<GrantedToken>('/api/v1/tokens', asked);
      if (format === 'json' || format === 'yaml') return printData(context, format, granted);
      const { id, expiresAt, secret } = granted;
      const until = expiresAt === undefined ? 'until it is revoked' : `until ${oneLine(expiresAt)}`;
      remark(context, `token ${oneLine(id)} of ${oneLine(user)} (${role}) holds ${until}; it is shown only now:`);
      return say(context, oneLine(secret));
    });
}

function revokeCommand(command: Command, context: Context): void {
  command
    .command('revoke')
    .description('Refuse a token from now on, and end the sessions of browsers that logged in with it.')
    .argument('<id>', 'its id, as `hawser token list` shows it')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser token revoke 3f9a0c12d4e5b678 --yes', 'without a question']]))
    .action(async (id: string, options: { yes?: boolean }, self: Command) => {
      const client = connect(context, self);
      const tokens = await readTokens(client);
      const token = tokens.find((one) => one.id === id);
      if (token === undefined) throw refused(`there is no token ${JSON.stringify(id)}`, 'See `hawser token list`.');
      const whose = `${oneLine(token.user)} (${token.role})`;
      const warning = token.isCurrent ? 'It is the one that you use now. ' : '';
      await askFirst(context, `${warning}Revoke token ${oneLine(id)} of ${whose}?`, options.yes);
      await client.delete(`/api/v1/tokens/${encodeURIComponent(id)}`);
      say(context, `token ${oneLine(id)} of ${whose} is revoked`);
      const children = tokens.filter(({ grantedWith }) => grantedWith === id).map((one) => oneLine(one.id));
      if (children.length > 0) remark(context, `Granted with it, and not revoked: ${children.join(', ')}.`);
    });
}

async function readTokens(client: Client): Promise<TokenView[]> {
  return (await client.get<{ items: TokenView[] }>('/api/v1/tokens')).items;
}

/** The service looks at it again, by its own clock. */
function checkExpiry(expires: string | undefined, now: number): void {
  try {
    if (expires !== undefined) parseExpiry(expires, now);
  } catch (error) {
    throw error instanceof HawserError ? usage(error.message, error.hint) : error;
  }
}

function columns(now: number): Column<TokenView>[] {
  return [
    { header: 'ID', of: ({ id }) => id },
    { header: 'USER', flexible: true, of: ({ user }) => user },
    { header: 'ROLE', of: ({ role }) => role },
    { header: 'AGE', of: ({ createdAt }) => age(createdAt, now) },
    {
      header: 'EXPIRES',
      of: ({ expiresAt }) =>
        expiresAt === undefined ? 'never' : `in ${span(Math.max(0, Date.parse(expiresAt) - now))}`,
    },
    { header: 'IN USE', of: ({ isCurrent }) => (isCurrent ? 'yes' : undefined) },
    { header: 'GRANTED BY', wide: true, of: ({ grantedBy }) => grantedBy },
    { header: 'GRANTED WITH', wide: true, of: ({ grantedWith }) => grantedWith },
  ];
}
