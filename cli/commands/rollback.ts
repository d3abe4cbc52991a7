import type { Command } from 'commander';
import type { HistoryView } from '#shared/messages/api.ts';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { awaitGoals } from '../await-goals.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { refused, usage } from '../failure.ts';
import { findApplication, readApplication } from '../find-application.ts';
import { oneLine } from '../output/escape.ts';
import { say } from '../output/print.ts';
import { examples } from '../program.ts';
import { generationText, waitingFor } from './sync.ts';

interface Options {
  wait?: boolean;
  timeout: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<application>', 'id, name or namespace/name')
    .argument('[id]', 'id from `hawser history`; the one before the current one when absent')
    .option('--wait', 'wait until it is done and healthy')
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['hawser rollback podinfo', 'go back to what was desired before'],
        ['hawser rollback podinfo 12 --wait', 'go back to entry 12 of its history'],
      ]),
    )
    .action(async (name: string, id: string | undefined, options: Options, self: Command) => {
      await rollback(context, connect(context, self), name, id, options);
    });
}

async function rollback(
  context: Context,
  client: Client,
  name: string,
  id: string | undefined,
  options: Options,
): Promise<void> {
  const application = await findApplication(client, name);
  const path = `/api/v1/applications/${application.id}`;
  const [{ items }, before] = await Promise.all([
    client.get<{ items: HistoryView[] }>(`${path}/history`),
    readApplication(client, application.id),
  ]);
  const entry = chosenEntry(items, id, application.name);
  const answer = await client.post<Accepted>(`${path}/rollback`, { generation: entry.generation });
  const what = oneLine(
    `${application.name} to ${entry.revision.slice(0, 7)} ${entry.commit?.message.split('\n', 1)[0] ?? ''}`.trim(),
  );
  say(context, `rolling back ${what}${generationText(answer)}`);
  if (options.wait !== true) return;
  const waiting = {
    ...waitingFor(application, before, answer, true),
    done: `${oneLine(application.name)} rolled back`,
  };
  context.setExitCode(await awaitGoals(client, context, [waiting], options.timeout));
}

/** The entry with this id, or the newest one that is not current. Pure. */
export function chosenEntry(items: readonly HistoryView[], id: string | undefined, name: string): HistoryView {
  if (id !== undefined && !/^\d+$/.test(id))
    throw usage(`${JSON.stringify(id)} is not an id`, `Ids are the numbers that \`hawser history ${name}\` shows.`);
  const current = items.find((entry) => entry.current);
  const found =
    id === undefined
      ? items.find((entry) => !entry.current && entry.generation < (current?.generation ?? Number.POSITIVE_INFINITY))
      : items.find((entry) => entry.id === Number(id));
  if (found === undefined) {
    throw refused(
      id === undefined
        ? `${name} has no generation before the current one`
        : `${name} has no entry ${id} in its history`,
      `See \`hawser history ${name}\`.`,
    );
  }
  if (found.current) throw refused(`entry ${found.id} is what ${name} already is`, `See \`hawser history ${name}\`.`);
  return found;
}
