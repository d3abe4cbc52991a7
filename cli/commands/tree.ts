import type { Command } from 'commander';
import type { TreeView } from '#shared/messages/api.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { findApplication } from '../find-application.ts';
import { word } from '../get/columns.ts';
import { age } from '../output/age.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, printTable, remark } from '../output/print.ts';
import type { Column } from '../output/table.ts';
import { examples } from '../program.ts';
import { treeLines, type TreeLine } from '../tree-lines.ts';

export function register(command: Command, context: Context): void {
  command
    .argument('<application>', 'id, name or namespace/name')
    .addHelpText(
      'after',
      examples([
        ['hawser tree podinfo', 'its objects, and what they own in the cluster'],
        ['hawser tree podinfo -o json', 'the same for programs'],
      ]),
    )
    .action(async (name: string, _options: object, self: Command) => {
      const format = formatOf(self, ['wide', 'json', 'yaml']);
      const client = connect(context, self);
      const application = await findApplication(client, name);
      const tree = await client.get<TreeView>(`/api/v1/applications/${application.id}/tree`);
      if (format === 'json' || format === 'yaml') {
        await printData(context, format, tree);
        return;
      }
      const root: TreeLine = {
        label: `${application.kind} ${application.name}`,
        sync: application.sync,
        health: application.health,
        message: application.message,
      };
      printTable(context, [root, ...treeLines(tree)], columns(context.now()), { wide: format === 'wide' });
      if (!tree.live) {
        remark(
          context,
          `${context.errColour.paint('changing', 'warning:')} ${oneLine(tree.error ?? 'the agent did not answer')}; only declared objects are shown`,
        );
      }
    });
}

function columns(now: number): Column<TreeLine>[] {
  return [
    { header: 'NAME', of: ({ label }) => label },
    { header: 'SYNC', of: ({ sync }) => (sync === undefined ? '' : word(sync)) },
    { header: 'HEALTH', of: ({ health }) => (health === undefined ? '' : word(health)) },
    { header: 'AGE', of: ({ createdAt }) => age(createdAt, now) },
    { header: 'MESSAGE', flexible: true, of: ({ message }) => message },
  ];
}
