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
  /** Whether what is in the cluster still fits after the next start. */
  keepsState: boolean;
}

export const embeddedDefaults: StartDefaults = {
  command: 'npm start',
  title: 'Hawser on this machine: the service, a Kubernetes sandbox, an agent and a demo repository.',
  dataDir: '.hawser',
  keepsState: true,
};

export const awsDefaults: StartDefaults = {
  command: 'npm run start:aws',
  title:
    'Hawser on emulators of AWS: the functions as they are deployed, a Kubernetes sandbox, an agent and a demo repository.\n' +
    'The emulators keep nothing: every start begins with an empty service and fresh clusters. Git repositories stay.',
  dataDir: '.hawser-aws',
  keepsState: false,
};

export function usageOf({ command, title, dataDir, keepsState }: StartDefaults): string {
  const context = keepsState
    ? '\n  --context NAME   use this kube context instead of a sandbox cluster; never the current one unasked'
    : '';
  const example = keepsState ? `\n  ${command} -- --context kind-dev --data ~/hawser` : '';
  return `${title}

Usage: ${command} -- [options]

  --port N         port of the page and the API (default: a free one, remembered in DIR)
  --data DIR       where everything is kept (default: ${dataDir})${context}
  --clusters N     number of sandbox clusters, 1 to 5 (default: 1)
  --no-demo        no demo applications (the Git host still runs)
  --verbose        the service's log on standard error
  --help           this text

Examples:
  ${command}
  ${command} -- --port 8080 --clusters 2${example}
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
  if (values.context !== undefined && !defaults.keepsState) {
    throw new HawserError('invalid-input', `${defaults.command} takes no --context`, {
      hint: 'Keys and generations begin anew with every start, so what an agent left in a cluster of yours would not fit. Use npm start.',
    });
  }
  return {
    port,
    dataDir: resolve(values.data ?? defaults.dataDir),
    context: values.context,
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
