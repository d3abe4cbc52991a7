import type { Command } from 'commander';
import type { Accepted } from '#shared/messages/api-changes.ts';
import { askFirst } from '../ask-first.ts';
import { awaitGoals } from '../await-goals.ts';
import { connect, type Client } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { describeId, parseKey } from '#shared/domain/kube-object.ts';
import { findApplication, readApplication } from '../find-application.ts';
import { counted } from '../output/count.ts';
import { oneLine } from '../output/escape.ts';
import { say } from '../output/print.ts';
import { examples } from '../program.ts';
import { generationText, waitingFor } from './sync.ts';

interface Options {
  yes?: boolean;
  wait?: boolean;
  timeout: number;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<application>', 'id, name or namespace/name')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'wait until it is done and healthy')
    .addOption(timeoutOption())
    .addHelpText(
      'after',
      examples([
        ['hawser confirm podinfo', 'look at what would be deleted, then say yes or no'],
        ['hawser confirm podinfo --yes --wait', 'without a question'],
      ]),
    )
    .action(async (name: string, options: Options, self: Command) => {
      await confirm(context, connect(context, self), name, options);
    });
}

async function confirm(context: Context, client: Client, name: string, options: Options): Promise<void> {
  const application = await findApplication(client, name);
  const detail = await readApplication(client, application.id);
  const hold = detail?.hold;
  if (hold === undefined) {
    say(context, `nothing is held back for ${oneLine(application.name)}`);
    return;
  }
  say(
    context,
    `held back: ${counted(hold.objects.length, 'deletion')}: ${oneLine(hold.reason)} (${oneLine(hold.guards.join(', '))})`,
  );
  for (const key of hold.objects)
    say(context, `  ${context.colour.paint('bad', '-')} ${oneLine(describeId(parseKey(key)))}`);
  await askFirst(
    context,
    `Delete exactly ${hold.objects.length === 1 ? 'this object' : `these ${hold.objects.length} objects`}?`,
    options.yes,
  );
  // The digest is of the list that was shown: if it has changed meanwhile, the service refuses (G-13).
  const answer = await client.post<Accepted>(`/api/v1/applications/${application.id}/confirm`, {
    listDigest: hold.listDigest,
  });
  say(context, `confirmed${generationText(answer)}`);
  if (options.wait !== true) return;
  context.setExitCode(
    await awaitGoals(client, context, [waitingFor(application, detail, answer, true)], options.timeout),
  );
}
