import type { Client } from '../client.ts';
import type { Context } from '../context.ts';
import { oneLine } from '../output/escape.ts';
import { printData, printTable, remark, say, type Format } from '../output/print.ts';
import type { Filter, View } from './views.ts';

/** `get` without `--watch`. */
export async function printList<Row>(
  context: Context,
  client: Client,
  view: View<Row>,
  filter: Filter,
  format: Format,
): Promise<void> {
  const rows = await view.read(client, filter);
  if (format === 'json' || format === 'yaml') {
    const objects = await view.objects(client, rows);
    await printData(context, format, filter.single && objects.length === 1 ? objects[0] : listOf(objects));
    return;
  }
  if (format === 'name') {
    for (const row of rows) say(context, oneLine(view.name(row)));
    return;
  }
  if (rows.length === 0) remark(context, `No ${view.plural} found.`);
  else printTable(context, rows, view.columns(rows, context.now()), { wide: format === 'wide' });
}

/** A list as kubectl prints it. */
function listOf(items: readonly unknown[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}
