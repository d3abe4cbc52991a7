import type { Client } from '../client.ts';
import type { Context } from '../context.ts';
import { changes } from '../follow.ts';
import { oneLine } from '../output/escape.ts';
import { printJsonLine, say, type Format } from '../output/print.ts';
import { createScreen } from '../output/progress.ts';
import { table } from '../output/table.ts';
import type { Filter, View } from './views.ts';

/**
 * `get --watch`: on a terminal the table redraws itself; elsewhere every changed row is printed once more, as kubectl does.
 * Until Ctrl-C.
 */
export async function watchList<Row>(
  context: Context,
  client: Client,
  view: View<Row>,
  filter: Filter,
  format: Format,
): Promise<void> {
  const isTable = format === 'table' || format === 'wide';
  const screen = createScreen(context.out);
  const known = new Map<string, string>();
  let hasHeader = false;
  for await (const _ of changes(client, context, { signal: context.signal, concerns: view.concerns })) {
    const rows = await view.read(client, filter);
    if (isTable && context.out.isTerminal) {
      const options = { colour: context.colour, wide: format === 'wide', width: context.out.columns };
      screen.draw(table(rows, view.columns(rows, context.now()), options));
      continue;
    }
    const changed = rows.filter((row) => remember(known, view.key(row), JSON.stringify(row)));
    const gone = forget(known, new Set(rows.map((row) => view.key(row))));
    if (format === 'json') for (const object of await view.objects(client, changed)) printJsonLine(context, object);
    else if (format === 'name') for (const row of changed) say(context, oneLine(view.name(row)));
    else if (changed.length > 0) {
      // All rows decide how wide the columns are: what comes later stands below what was there.
      const lines = table(rows, view.columns(rows, context.now()), { colour: context.colour, wide: format === 'wide' });
      const [header = '', ...rest] = lines.trimEnd().split('\n');
      const fresh = rest.filter((_line, index) => changed.includes(rows[index] as Row));
      for (const line of hasHeader ? fresh : [header, ...fresh]) say(context, line);
      hasHeader = true;
    }
    if (isTable) for (const key of gone) say(context, `${oneLine(key)} is gone`);
  }
}

/** Whether this is new or has changed. */
function remember(known: Map<string, string>, key: string, text: string): boolean {
  if (known.get(key) === text) return false;
  known.set(key, text);
  return true;
}

function forget(known: Map<string, string>, present: ReadonlySet<string>): string[] {
  const gone = [...known.keys()].filter((key) => !present.has(key));
  for (const key of gone) known.delete(key);
  return gone;
}
