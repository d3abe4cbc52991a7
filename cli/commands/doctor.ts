import type { Command } from 'commander';
import type { ClusterView, QueueView, RepositoryView } from '#shared/messages/api.ts';
import type { z } from 'zod';
import { connect, type Client } from '../client.ts';
import type { ConfigSource, Target } from '../config.ts';
import type { Context } from '../context.ts';
import { exitCode, Failure, RefusedByService } from '../failure.ts';
import { listApplications } from '../find-application.ts';
import {
  checkApplications,
  checkClusters,
  checkQueues,
  checkRepositories,
  checkVersions,
  checkWebhooks,
  type Check,
  type Grade,
} from '../doctor-checks.ts';
import type { Shade } from '../output/colour.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, say } from '../output/print.ts';
import { examples } from '../program.ts';

const shadeByGrade: Record<Grade, Shade> = { ok: 'good', warn: 'changing', fail: 'bad' };
const sourceText: Record<ConfigSource, string> = {
  option: 'from --server',
  environment: 'from HAWSER_SERVER',
  login: 'from the login file',
  run: 'from .hawser/run.json',
};

export function register(command: Command, context: Context): void {
  command
    .addHelpText(
      'after',
      `\nExit code 1 when anything fails, 4 when the service cannot be reached; warnings are no failure.\n${examples([
        ['hawser doctor', 'each line is ok, warn or fail, with what to do'],
        ['hawser doctor -o json', 'the same for programs'],
      ])}`,
    )
    .action(async (_options: object, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const isData = format === 'json' || format === 'yaml';
      const checks: Check[] = [];
      let code: number = exitCode.done;
      for await (const check of diagnose(context, () => connect(context, self))) {
        checks.push(check);
        if (check.grade === 'fail' && code === exitCode.done) {
          code = check.subject === 'server' ? exitCode.unreachable : exitCode.differs;
        }
        if (!isData) print(context, check);
      }
      if (isData) await printData(context, format, { checks });
      context.setExitCode(code);
    });
}

/** From the nearest part to the farthest; stops where the next could not be asked. */
async function* diagnose(context: Context, connectNow: () => Client): AsyncGenerator<Check> {
  let client: Client;
  let server: string;
  const started = context.now();
  try {
    client = connectNow();
    const health = await client.get<{ version: string }>('/healthz');
    server = health.version;
  } catch (error) {
    yield failureOf('server', error);
    return;
  }
  yield {
    grade: 'ok',
    subject: 'server',
    finding: `${addressOf(client.target)} answers in ${context.now() - started} ms`,
  };
  yield checkVersions(context.version, server);
  try {
    const session = await client.get<{ organisation: string; user: string; role: string }>('/api/v1/session');
    yield { grade: 'ok', subject: 'token', finding: `${session.user} (${session.role}) of ${session.organisation}` };
  } catch (error) {
    yield failureOf('token', error);
    return;
  }
  const now = context.now();
  yield* section('clusters', async () => checkClusters(await read<ClusterView>(client, 'clusters'), now));
  yield* section('repositories', async () =>
    checkRepositories(await read<RepositoryView>(client, 'repositories'), now),
  );
  yield* section('webhooks', async () => [checkWebhooks(await readMetrics(client))]);
  yield* section('queues', async () => checkQueues(await read<z.infer<typeof QueueView>>(client, 'queues')));
  yield* section('applications', async () => checkApplications(await listApplications(client)));
}

async function* section(subject: string, check: () => Promise<Check[]>): AsyncGenerator<Check> {
  try {
    yield* await check();
  } catch (error) {
    yield failureOf(subject, error);
  }
}

async function read<T>(client: Client, what: string): Promise<T[]> {
  return (await client.get<{ items: T[] }>(`/api/v1/${what}`)).items;
}

/** Not every installation shows its metrics to people. */
async function readMetrics(client: Client): Promise<string | undefined> {
  try {
    return await client.text('/metrics');
  } catch (error) {
    if (error instanceof RefusedByService) return undefined;
    throw error;
  }
}

function failureOf(subject: string, error: unknown): Check {
  if (!(error instanceof Failure)) throw error;
  return { grade: 'fail', subject, finding: error.message, ...(error.hint === undefined ? {} : { todo: error.hint }) };
}

function addressOf(target: Target): string {
  return `${target.server} (${sourceText[target.source]})`;
}

function print(context: Context, { grade, subject, finding, todo }: Check): void {
  const mark = context.colour.paint(shadeByGrade[grade], grade.padEnd(4));
  say(context, `${mark}  ${oneLine(subject)}: ${oneLine(finding)}`);
  if (todo !== undefined) say(context, `      ${oneLine(todo)}`);
}
