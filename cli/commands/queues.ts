import type { Command } from 'commander';
import type { QueueView } from '#shared/messages/api.ts';
import type { z } from 'zod';
import type { DeadLetter } from '#shared/ports/queue.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { age } from '../output/age.ts';
import { counted } from '../output/count.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, printTable, remark, say } from '../output/print.ts';
import type { Column } from '../output/table.ts';
import { examples } from '../program.ts';

export function register(command: Command, context: Context): void {
  command.addHelpText(
    'after',
    examples([
      ['hawser queues list', 'how full they are'],
      ['hawser queues peek render-jobs', 'what died, and why'],
      ['hawser queues redrive render-jobs', 'send it again'],
    ]),
  );
  command
    .command('list')
    .description('List the queues with their counts.')
    .addHelpText('after', examples([['hawser queues list', 'DEAD should be 0']]))
    .action(async (_options: object, self: Command) => {
      const format = formatOf(self, ['wide', 'json', 'yaml']);
      const answer = await connect(context, self).get<{ items: z.infer<typeof QueueView>[] }>('/api/v1/queues');
      if (format === 'json' || format === 'yaml') await printData(context, format, answer);
      else printTable(context, answer.items, queueColumns);
    });
  command
    .command('peek')
    .description('Show the messages of a queue that could not be handled, and why.')
    .argument('<queue>', 'its name')
    .addHelpText('after', examples([['hawser queues peek render-jobs -o json', 'with the messages themselves']]))
    .action(async (queue: string, _options: object, self: Command) => {
      const format = formatOf(self, ['wide', 'json', 'yaml']);
      const path = `/api/v1/queues/${encodeURIComponent(queue)}/dead-letters`;
      const answer = await connect(context, self).get<{ items: DeadLetter[] }>(path);
      if (format === 'json' || format === 'yaml') await printData(context, format, answer);
      else if (answer.items.length === 0) remark(context, `No dead letters in ${oneLine(queue)}.`);
      else printTable(context, answer.items, deadLetterColumns(context.now()), { wide: format === 'wide' });
    });
  command
    .command('redrive')
    .description('Send the dead letters of a queue again.')
    .argument('<queue>', 'its name')
    .addHelpText('after', examples([['hawser queues redrive render-jobs', 'after the cause is gone']]))
    .action(async (queue: string, _options: object, self: Command) => {
      const answer = await connect(context, self).post<{ redriven: number }>(
        `/api/v1/queues/${encodeURIComponent(queue)}/redrive`,
      );
      say(context, `sent again from ${oneLine(queue)}: ${counted(answer.redriven, 'message')}`);
    });
}

const queueColumns: Column<z.infer<typeof QueueView>>[] = [
  { header: 'NAME', of: ({ name }) => name },
  { header: 'READY', of: ({ ready }) => ready },
  { header: 'IN FLIGHT', of: ({ inFlight }) => inFlight },
  { header: 'DELAYED', of: ({ delayed }) => delayed },
  { header: 'DEAD', of: ({ dead }) => ({ text: String(dead), shade: dead > 0 ? 'bad' : 'plain' }) },
];

function deadLetterColumns(now: number): Column<DeadLetter>[] {
  return [
    { header: 'ID', of: ({ id }) => id },
    { header: 'DIED', of: ({ diedAt }) => age(new Date(diedAt).toISOString(), now) },
    { header: 'RECEIVES', of: ({ receives }) => receives },
    { header: 'REASON', flexible: true, of: ({ reason }) => reason },
    { header: 'MESSAGE', wide: true, of: ({ body }) => body },
  ];
}
