import { parseArgs } from 'node:util';
import { resolve } from 'node:path';
import { HawserError, messageOf } from '#shared/errors.ts';

/** What `npm start -- …` can be told. */
export interface StartOptions {
  /** undefined: the port that DIR remembers, else a free one. */
  port: number | undefined;
  dataDir: string;
  /** A kube context of the user's own; undefined: sandbox clusters. */
  context: string | undefined;
  /** Emulators that run already, by their addresses; undefined: this start has its own, where it needs any. */
  emulators?: { dynamodb: string; localstack: string };
  clusters: number;
  demo: boolean;
  help: boolean;
  verbose: boolean;
  /** Tests count requests in the sandbox's audit log: by `HAWSER_SANDBOX_AUDIT=1`, no flag of the command line. */
  auditLog?: boolean;
}

/** In what the starts differ on the command line. */
export interface StartDefaults {
  command: string;
  title: string;
  dataDir: string;
  /** Whether it runs on emulators of a cloud. */
  onEmulators: boolean;
}

export const embeddedDefaults: StartDefaults = {
  command: 'npm start',
  title: 'Hawser on this machine: the service, a Kubernetes sandbox, an agent and a demo repository.',
  dataDir: '.hawser',
  onEmulators: false,
};

export const awsDefaults: StartDefaults = {
  command: 'npm run start:aws',
  title:
    'Hawser on emulators of AWS: the functions as they are deployed, a Kubernetes sandbox, an agent and a demo repository.\n' +
    'The emulators keep nothing: every start begins with an empty service and fresh sandbox clusters. Git repositories stay.',
  dataDir: '.hawser-aws',
  onEmulators: true,
};

export function usageOf({ command, title, dataDir, onEmulators }: StartDefaults): string {
  const emulators = onEmulators
    ? `
  --emulators A,B  use DynamoDB Local at A and LocalStack at B, which run already (localstack/compose.yaml), instead of
                   starting both; what an earlier start left in them is removed`
    : '';
  const example = onEmulators ? `\n  ${command} -- --emulators http://127.0.0.1:8000,http://127.0.0.1:4566` : '';
  return `${title}

Usage: ${command} -- [options]

  --port N         port of the page and the API (default: a free one, remembered in DIR)
  --data DIR       where everything is kept (default: ${dataDir})
  --context NAME   use this kube context instead of a sandbox cluster; never the current one unasked
  --clusters N     number of sandbox clusters, 1 to 5 (default: 1)
  --no-demo        no demo applications (the Git host still runs)${emulators}
  --verbose        the service's log on standard error
  --help           this text

Examples:
  ${command}
  ${command} -- --port 8080 --clusters 2
  ${command} -- --context kind-dev --data ~/hawser${example}
`;
}

/** Reads the command line; throws `invalid-input` with what is wrong. */
export function parseStartOptions(argv: readonly string[], defaults: StartDefaults = embeddedDefaults): StartOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        context: { type: 'string' },
        ...(defaults.onEmulators ? { emulators: { type: 'string' } as const } : {}),
        clusters: { type: 'string' },
        'no-demo': { type: 'boolean' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: false,
    }));
  } catch (error) {
    throw new HawserError('invalid-input', messageOf(error), { hint: `See ${defaults.command} -- --help.` });
  }
  const port = values.port === undefined ? undefined : integer(values.port, '--port', 1, 65_535);
  const clusters = values.clusters === undefined ? 1 : integer(values.clusters, '--clusters', 1, 5);
  if (values.context !== undefined && values.clusters !== undefined) {
    throw new HawserError('invalid-input', '--context and --clusters cannot go together', {
      hint: 'Choose your own cluster or sandbox clusters.',
    });
  }
  return {
    port,
    dataDir: resolve(values.data ?? defaults.dataDir),
    context: values.context,
    ...(typeof values.emulators === 'string' ? { emulators: emulatorsOf(values.emulators) } : {}),
    clusters,
    demo: values['no-demo'] !== true,
    help: values.help === true,
    verbose: values.verbose === true,
  };
}

function integer(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HawserError('invalid-input', `${name} ${text} is not a whole number from ${least} to ${most}`);
}

/** Two addresses without paths, as `--emulators` takes them. */
function emulatorsOf(text: string): { dynamodb: string; localstack: string } {
  const [dynamodb, localstack, ...more] = text.split(',').map((part) => addressOf(part.trim()));
  if (dynamodb !== undefined && localstack !== undefined && more.length === 0 && dynamodb !== localstack)
    return { dynamodb, localstack };
  throw new HawserError('invalid-input', `--emulators ${text} is not two http addresses with a comma between`, {
    hint: "DynamoDB Local's first, then LocalStack's: --emulators http://127.0.0.1:8000,http://127.0.0.1:4566",
  });
}

function addressOf(text: string): string | undefined {
  const url = URL.parse(text);
  const isAddress = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '';
  return isAddress && url.username === '' ? url.origin : undefined;
}
