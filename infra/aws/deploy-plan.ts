import { parseArgs } from 'node:util';
import { HawserError } from '#shared/errors.ts';
import { requireConcurrency } from './concurrency.ts';
import { namesOf } from './names.ts';
import { contextKeys, readSettings, type DeploymentSettings } from './settings.ts';

/** What `npm run deploy:aws` was asked for. */
export interface DeployRequest {
  settings: DeploymentSettings;
  /** As given, to hand on to cdk. */
  context: string[];
  yes: boolean;
  profile?: string;
}

export const deployUsage = `Usage: npm run deploy:aws -- -c environment=ENV -c region=REGION -c organisation=ORG [-c KEY=VALUE …] [--profile NAME] [--yes]

Builds the functions, deploys every stack, prepares the organisation, and prints the address and, the first time, the admin's
token. Asks before anything that exists is replaced or removed. All keys are in infra/aws/README.md.

  npm run deploy:aws -- -c environment=prod -c region=eu-central-1 -c organisation=acme
  npm run deploy:aws -- -c environment=prod -c region=eu-central-1 -c organisation=acme \\
    -c domain=hawser.example.com -c certificateArn=arn:aws:acm:eu-central-1:123456789012:certificate/…
  npm run deploy:aws -- -c environment=dev -c region=eu-central-1 -c organisation=acme -c concurrency=unreserved --yes
`;

/** Reads the command line; undefined where help is asked for. Throws `invalid-input`, before anything is built, for what is wrong. */
export function readRequest(argv: readonly string[]): DeployRequest | undefined {
  const { values } = parse(argv);
  if (values.help) return undefined;
  const context = readContext(values.context);
  const settings = readSettings((key) => context[key]);
  requireConcurrency(settings);
  return {
    settings,
    context: values.context,
    yes: values.yes,
    ...(values.profile === undefined ? {} : { profile: values.profile }),
  };
}

/** What `-c KEY=VALUE …` says. Throws `invalid-input` for what is no pair, no key, or there twice. */
export function readContext(given: readonly string[], help = 'npm run deploy:aws -- --help'): Record<string, string> {
  const pairs = given.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw wrong(`-c ${JSON.stringify(pair)} is not KEY=VALUE`, `See ${help}.`);
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  const keys = pairs.map(([key]) => key);
  const unknown = keys.filter((key) => !contextKeys.includes(key));
  if (unknown.length > 0)
    throw wrong(`-c ${unknown.join(', -c ')}: there is no such key`, `Keys: ${contextKeys.join(', ')}.`);
  const twice = keys.filter((key, index) => keys.indexOf(key) < index);
  if (twice.length > 0) throw wrong(`-c ${twice.join(', -c ')} is given twice`, `See ${help}.`);
  return Object.fromEntries(pairs);
}

/**
 * Resources that a deployment would replace or remove, as `cdk diff` says. What is only kept behind (`orphan`) is not lost, nor
 * is the older version of a layer, which stays where new tools come.
 */
export function lossesIn(diff: string): string[] {
  const plain = diff.replaceAll(new RegExp(String.raw`${String.fromCodePoint(27)}\[[0-9;]*m`, 'g'), '');
  return plain
    .split('\n')
    .map((text) => /^\[[~-]\]\s+(AWS::\S+)\s+(.+?)\s+(replace|may be replaced|destroy)\s*$/.exec(text.trim()))
    .flatMap((match) =>
      match === null || match[1] === 'AWS::Lambda::LayerVersion' ? [] : [`${match[3]}: ${match[1]} ${match[2]}`],
    );
}

/** What to do about losses: go on, ask, or give up where nobody can be asked. */
export function decide(losses: readonly string[], who: { yes: boolean; terminal: boolean }): 'go' | 'ask' | 'refuse' {
  if (losses.length === 0 || who.yes) return 'go';
  return who.terminal ? 'ask' : 'refuse';
}

/** One run of cdk. */
export interface CdkCall {
  args: string[];
}

/**
 * The runs of cdk that deploy: everything in the deployment's region, then, with a WebACL, the stack before it, which has to be
 * told where the API is. Resources that an earlier deployment left behind are taken in again.
 */
export function deployCalls(
  request: DeployRequest,
  outputsFile: string,
): { main: CdkCall; front?: (apiHost: string) => CdkCall } {
  const common = [
    ...contextArgs(request),
    '--require-approval',
    'never',
    '--import-existing-resources',
    '--outputs-file',
    outputsFile,
  ];
  const main = { args: ['deploy', 'State', 'Compute', 'Edge', 'Observability', ...common] };
  if (request.settings.waf === undefined) return { main };
  const stack = namesOf(request.settings).stack('front');
  const front = (apiHost: string) => ({
    args: ['deploy', 'Front', '--exclusively', '--parameters', `${stack}:ApiHost=${apiHost}`, ...common],
  });
  return { main, front };
}

/** Arguments that every run of cdk gets. */
export function contextArgs({ context, profile }: DeployRequest): string[] {
  return [...context.flatMap((pair) => ['-c', pair]), ...(profile === undefined ? [] : ['--profile', profile])];
}

/** What cdk writes: outputs by the stack's name. */
export type Outputs = Record<string, Record<string, string>>;

/** One output of one stack; throws `internal` where cdk wrote none. */
export function outputOf(outputs: Outputs, { settings }: DeployRequest, part: string, name: string): string {
  const stack = namesOf(settings).stack(part);
  const value = outputs[stack]?.[name];
  if (value !== undefined) return value;
  throw new HawserError('internal', `stack ${stack} was deployed without the output ${name}`, {
    hint: `See \`aws cloudformation describe-stacks --stack-name ${stack}\`.`,
  });
}

/** What is said at the end. The token is shown this once: the table keeps its digest only. */
export function farewell(url: string, answer: { organisation: string; token?: string }, again: string): string {
  const token =
    answer.token === undefined
      ? `The admin's token was given out before. Another one: ${again}`
      : `Admin's token, shown this once: ${answer.token}`;
  return [
    `Hawser for ${answer.organisation} is at ${url}`,
    token,
    '',
    'Next:',
    `  npx hawser login ${url}`,
    '  npx hawser cluster add NAME',
    'and on as infra/aws/README.md says, «From an account to the first push».',
  ].join('\n');
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        context: { type: 'string', short: 'c', multiple: true, default: [] },
        profile: { type: 'string' },
        yes: { type: 'boolean', short: 'y', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : 'the arguments cannot be read');
  }
}

function wrong(message: string, hint = 'See npm run deploy:aws -- --help.'): HawserError {
  return new HawserError('invalid-input', message, { hint });
}
