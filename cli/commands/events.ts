import type { Command } from 'commander';
import type { EventView } from '#shared/messages/api.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { findApplication } from '../find-application.ts';
import { about, changes } from '../follow.ts';
import { eventColumns } from '../get/columns.ts';
import { eventKey } from '../get/views.ts';
import { formatOf, printData, printJsonLine, printTable, remark, type Format } from '../output/print.ts';
import { examples } from '../program.ts';

interface Options {
  watch?: boolean;
  limit: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('[application]', 'id, name or namespace/name; all applications when absent')
    .option('-w, --watch', 'go on, and show what happens')
    .option('--limit <number>', 'how many, newest last', parseLimit, 50)
    .addHelpText(
      'after',
      examples([
        ['hawser events', 'what happened lately'],
        ['hawser events podinfo --watch', 'what happens to one application'],
        ['hawser events podinfo -o wide', 'with revisions and who did it'],
      ]),
    )
    .action(async (name: string | undefined, options: Options, self: Command) => {
      const format = formatOf(self, ['wide', 'json', 'yaml']);
      if (options.watch === true && format === 'yaml')
        throw usage('--watch cannot print YAML', 'Use -o json: one event per line.');
      const client = connect(context, self);
      const id = name === undefined ? undefined : (await findApplication(client, name)).id;
      if (options.watch === true) await watch(context, client, id, options, format);
      else await print(context, await readEvents(client, id, options.limit), format);
    });
}

async function print(context: Context, events: readonly EventView[], format: Format): Promise<void> {
  if (format === 'json' || format === 'yaml') await printData(context, format, { items: events });
  else if (events.length === 0) remark(context, 'No events found.');
  else printTable(context, events, eventColumns(context.now()), { wide: format === 'wide' });
}

async function watch(
  context: Context,
  client: Client,
  id: string | undefined,
  options: Options,
  format: Format,
): Promise<void> {
  const seen = new Set<string>();
  const concerns = id === undefined ? () => true : about(new Set([id]));
  let hasHeader = false;
  for await (const _ of changes(client, context, { signal: context.signal, concerns })) {
    const fresh = (await readEvents(client, id, hasHeader ? 200 : options.limit)).filter(
      (event) => !seen.has(eventKey(event)),
    );
    for (const event of fresh) seen.add(eventKey(event));
    if (format === 'json') for (const event of fresh) printJsonLine(context, event);
    else if (fresh.length > 0) {
      printTable(context, fresh, eventColumns(context.now()), { wide: format === 'wide', noHeader: hasHeader });
      hasHeader = true;
    }
  }
}

/** Oldest first, as one reads a log. */
async function readEvents(client: Client, id: string | undefined, limit: number): Promise<EventView[]> {
  const path = id === undefined ? '/api/v1/events' : `/api/v1/applications/${id}/events`;
  const { items } = await client.get<{ items: EventView[] }>(path, { limit });
  return items.toReversed();
}

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= 500) return Number(text);
  throw usage(`${JSON.stringify(text)} is not a number from 1 to 500`);
}
