import { Option, type Command } from 'commander';
import { agentIdentities, type AgentIdentity } from '#shared/domain/cluster.ts';
import type { ClusterInstall } from '#shared/messages/api.ts';
import { withNetwork, type AgentNetwork } from '#functions/api/install-command.ts';
import { fitToServer, readNetwork, warnOfNetwork, withNetworkOptions, type NetworkOptions } from '../agent-network.ts';
import { askFirst } from '../ask-first.ts';
import { awaitCluster } from '../await-cluster.ts';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { timeoutOption } from '../duration.ts';
import { usage } from '../failure.ts';
import { printList } from '../get/print-list.ts';
import { viewOf } from '../get/views.ts';
import { oneLine } from '../output/escape.ts';
import { formatOf, printData, remark, say, sayText } from '../output/print.ts';
import { examples } from '../program.ts';

interface AddOptions extends NetworkOptions {
  label: Record<string, string>;
  apiServer: string[];
  identity: AgentIdentity;
  roleId?: string;
  roleArn?: string;
  wait: boolean;
  timeout: number;
}

/** A registration token waits so long to be used. */
const registrationMs = 15 * 60_000;

export function register(command: Command, context: Context): void {
  command.addHelpText(
    'after',
    examples([
      ['hawser cluster list', 'what is registered, and whether its agent is there'],
      ['hawser cluster add production --label env=production', 'register one, and wait until its agent is there'],
      ['hawser cluster revoke production', 'let its agent in no more, at once'],
      ['hawser cluster remove old', 'forget one; what runs in it goes on running'],
    ]),
  );
  addCommand(command, context);
  listCommand(command, context);
  waitCommand(command, context);
  renewCommand(command, context);
  revokeCommand(command, context);
  restoreCommand(command, context);
  removeCommand(command, context);
}

function addCommand(command: Command, context: Context): void {
  withNetworkOptions(command.command('add'))
    .description('Register a cluster, print the command that installs its agent, and wait for the agent.')
    .argument('<name>', 'its name: a-z, 0-9 and -')
    .option('--label <key=value>', 'a label; may be repeated', collectLabel, {})
    .option(
      '--api-server <url>',
      'address by which declarations may name it; may be repeated',
      (one, all: string[]) => [...all, one],
      [],
    )
    .addOption(
      new Option('--identity <how>', 'how its agent proves who it is')
        .choices(agentIdentities)
        .default('service-account'),
    )
    .option('--role-id <id>', "unique id of the agent's IAM role (AROA…), for irsa and pod-identity")
    .option('--role-arn <arn>', "ARN of the agent's IAM role, for irsa")
    .option('--no-wait', 'do not wait for the agent')
    .addOption(timeoutOption(registrationMs))
    .addHelpText(
      'after',
      examples([
        ['hawser cluster add production --label env=production', 'register one'],
        ['hawser cluster add production --no-wait', 'and install its agent later, within 15 minutes'],
        ['hawser cluster add edge -o json | jq .values', 'values for the chart, for scripts (does not wait)'],
        ['hawser cluster add eks --identity pod-identity --role-id AROA…', 'its agent has an IAM role of its own'],
        [
          'hawser cluster add edge --proxy http://proxy.corp:3128 --no-proxy 10.0.0.0/8 --ca-file ca.pem',
          'its agent is behind a proxy that intercepts TLS',
        ],
      ]),
    )
    .action(async (name: string, options: AddOptions, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const network = readNetwork(context.cwd, options);
      const client = connect(context, self);
      const { label, apiServer, identity, roleId, roleArn } = options;
      const answer = await client.post<ClusterInstall>('/api/v1/clusters', {
        name,
        identity,
        ...(Object.keys(label).length > 0 ? { labels: label } : {}),
        ...(apiServer.length > 0 ? { servers: apiServer } : {}),
        ...(roleId === undefined ? {} : { awsRoleId: roleId }),
        ...(roleArn === undefined ? {} : { awsRoleArn: roleArn }),
      });
      const added = throughNetwork(answer, network);
      warnOfNetwork(context, options);
      if (format === 'json' || format === 'yaml') return printData(context, format, added);
      remark(context, `cluster ${oneLine(name)} is registered; install its agent in it with this command`);
      tellInstall(context, added);
      if (identity === 'irsa' && roleArn === undefined)
        remark(context, "Annotate the agent's ServiceAccount with its role, or give --role-arn.");
      if (options.wait) context.setExitCode(await awaitCluster(client, context, name, options.timeout));
    });
}

function throughNetwork(answer: ClusterInstall, network: AgentNetwork): ClusterInstall {
  return withNetwork(answer, fitToServer(network, answer));
}

/** The command on standard output, and beside it how long it is good. */
function tellInstall(context: Context, { install, registration }: ClusterInstall): void {
  remark(
    context,
    registration === undefined
      ? '(what is secret in it is shown only now):\n'
      : '(the token in it is good once, for 15 minutes):\n',
  );
  sayText(context, install);
  remark(context, '');
}

function listCommand(command: Command, context: Context): void {
  command
    .command('list')
    .description('List clusters.')
    .addHelpText('after', examples([['hawser cluster list -o wide', 'with versions, memory and labels']]))
    .action(async (_options: object, self: Command) => {
      const filter = { names: [], namespace: undefined, labels: undefined, single: false };
      await printList(context, connect(context, self), viewOf('clusters'), filter, formatOf(self));
    });
}

function waitCommand(command: Command, context: Context): void {
  command
    .command('wait')
    .description("Wait until a cluster's agent is connected.")
    .argument('<name>', 'its name')
    .addOption(timeoutOption(registrationMs))
    .addHelpText('after', examples([['hawser cluster wait production --timeout 2m', 'at most two minutes']]))
    .action(async (name: string, options: { timeout: number }, self: Command) => {
      context.setExitCode(await awaitCluster(connect(context, self), context, name, options.timeout));
    });
}

function renewCommand(command: Command, context: Context): void {
  withNetworkOptions(command.command('renew'))
    .description('Make a new registration token, and print the command that installs the agent with it.')
    .argument('<name>', 'its name')
    .addHelpText(
      'after',
      examples([
        [
          'hawser cluster renew production',
          'after 15 minutes without an agent, or to move the name to another cluster',
        ],
        ['hawser cluster revoke edge && hawser cluster renew edge', 'nothing but the new token lets anybody in'],
        ['hawser cluster renew edge --proxy http://proxy.corp:3128', 'the proxy must be named again'],
      ]),
    )
    .action(async (name: string, options: NetworkOptions, self: Command) => {
      const format = formatOf(self, ['json', 'yaml']);
      const network = readNetwork(context.cwd, options);
      const path = `/api/v1/clusters/${encodeURIComponent(name)}/registration`;
      const renewed = throughNetwork(await connect(context, self).post<ClusterInstall>(path), network);
      warnOfNetwork(context, options);
      if (format === 'json' || format === 'yaml') return printData(context, format, renewed);
      remark(context, `cluster ${oneLine(name)} may register anew; install its agent in it with this command`);
      tellInstall(context, renewed);
      remark(context, `\`hawser cluster wait ${oneLine(name)}\` waits for it.`);
    });
}

function revokeCommand(command: Command, context: Context): void {
  command
    .command('revoke')
    .description("Let a cluster's agent in no more, at once. What runs in the cluster goes on running.")
    .argument('<name>', 'its name')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser cluster revoke production --yes', 'without a question']]))
    .action(async (name: string, options: { yes?: boolean }, self: Command) => {
      const client = connect(context, self);
      await askFirst(context, `Let the agent of cluster ${oneLine(name)} in no more?`, options.yes);
      await client.post(`/api/v1/clusters/${encodeURIComponent(name)}/revoke`);
      say(context, `cluster ${oneLine(name)} is revoked`);
      remark(
        context,
        `AWS credentials that its agent has end within 15 minutes. \`hawser cluster restore ${oneLine(name)}\` lets it in again, \`renew\` lets in a new agent only.`,
      );
    });
}

function restoreCommand(command: Command, context: Context): void {
  command
    .command('restore')
    .description('Let the agent of a revoked cluster in again.')
    .argument('<name>', 'its name')
    .addHelpText('after', examples([['hawser cluster restore production', 'with the identity that it had']]))
    .action(async (name: string, _options: object, self: Command) => {
      await connect(context, self).post(`/api/v1/clusters/${encodeURIComponent(name)}/restore`);
      say(context, `cluster ${oneLine(name)} is let in again`);
    });
}

function removeCommand(command: Command, context: Context): void {
  command
    .command('remove')
    .description('Forget a cluster, and let its agent in no more. What runs in it goes on running.')
    .argument('<name>', 'its name')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples([['hawser cluster remove old --yes', 'without a question']]))
    .action(async (name: string, options: { yes?: boolean }, self: Command) => {
      const client = connect(context, self);
      await askFirst(context, `Forget cluster ${oneLine(name)}?`, options.yes);
      await client.delete(`/api/v1/clusters/${encodeURIComponent(name)}`);
      say(context, `cluster ${oneLine(name)} is removed`);
    });
}

function collectLabel(text: string, before: Record<string, string>): Record<string, string> {
  const [, key, value] = /^([^=\s]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined)
    throw usage(`${JSON.stringify(text)} is not a label`, 'Write it as key=value.');
  return { ...before, [key]: value };
}
