import type { Command } from 'commander';
import type { HistoryView } from '#shared/messages/api.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { findApplication } from '../find-application.ts';
import { shortRevision } from '../get/columns.ts';
import { age } from '../output/age.ts';
import { formatOf, printData, printTable, remark } from '../output/print.ts';
import type { Column } from '../output/table.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command
    .argument('<application>', 'id, name or namespace/name')
    .addHelpText(
      'after',
      examples([
        ['hawser history podinfo', 'newest first; * is what is desired now'],
        ['hawser rollback podinfo 12', 'go back to one of them'],
      ]),
    )
    .action(async (name: string, _options: object, self: Command) => {
      const format = formatOf(self, ['wide', 'json', 'yaml']);
      const client = connect(context, self);
      const { id } = await findApplication(client, name);
      const answer = await client.get<{ items: HistoryView[] }>(`/api/v1/applications/${id}/history`);
      if (format === 'json' || format === 'yaml') await printData(context, format, answer);
      else if (answer.items.length === 0) remark(context, 'Nothing has been published yet.');
      else printTable(context, answer.items, columns(context.now()), { wide: format === 'wide' });
    });
}

function columns(now: number): Column<HistoryView>[] {
  return [
    { header: 'ID', of: ({ id, current }) => (current ? { text: `${id} *`, shade: 'strong' } : String(id)) },
    { header: 'REVISION', of: ({ revision }) => shortRevision(revision) },
    {
      header: 'DEPLOYED',
      of: ({ deployedAt }) =>
        deployedAt === undefined ? { text: 'not yet', shade: 'changing' } : age(deployedAt, now),
    },
    { header: 'BY', of: ({ initiatedBy }) => initiatedBy },
    { header: 'OBJECTS', of: ({ objectCount }) => objectCount },
    { header: 'GENERATION', wide: true, of: ({ generation }) => generation },
    { header: 'AUTHOR', wide: true, of: ({ commit }) => commit?.author },
    { header: 'COMMIT', flexible: true, of: ({ commit, rollbackOf }) => messageOf(commit?.message, rollbackOf) },
  ];
}

function messageOf(message: string | undefined, rollbackOf: number | undefined): string {
  const first = message?.split('\n', 1)[0] ?? '';
  return rollbackOf === undefined ? first : `${first} (rollback to generation ${rollbackOf})`;
}
