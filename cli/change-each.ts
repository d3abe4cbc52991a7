import type { Command } from 'commander';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { connect } from './client.ts';
import type { Context } from './context.ts';
import { findApplications } from './find-application.ts';
import { oneLine } from './output/escape.ts';
import { formatOf, printData, say } from './output/print.ts';

/** Verbs that ask one thing for each application and say so: `POST /api/v1/applications/{id}/{verb}`. */
export async function changeEach(
  context: Context,
  command: Command,
  names: readonly string[],
  what: { verb: string; done: string },
): Promise<void> {
  const format = formatOf(command, ['json', 'yaml', 'name']);
  const client = connect(context, command);
  const answers: Accepted[] = [];
  for (const application of await findApplications(client, names)) {
    answers.push(await client.post<Accepted>(`/api/v1/applications/${application.id}/${what.verb}`));
    if (format === 'table') say(context, `${oneLine(application.name)} ${what.done}`);
    if (format === 'name') say(context, oneLine(application.id));
  }
  if (format === 'json' || format === 'yaml') await printData(context, format, { items: answers });
}
