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

export const usage = `Hawser on this machine: the service, a Kubernetes sandbox, an agent and a demo repository.

Usage: npm start -- [options]

  --port N         port of the page and the API (default: a free one, remembered in DIR)
  --data DIR       where everything is kept (default: .hawser)
  --context NAME   use this kube context instead of a sandbox cluster; never the current one unasked
  --clusters N     number of sandbox clusters, 1 to 5 (default: 1)
  --no-demo        no demo applications (the Git host still runs)
  --verbose        the service's log on standard error
  --help           this text

Examples:
  npm start
  npm start -- --port 8080 --clusters 2
  npm start -- --context kind-dev --data ~/hawser
`;

/** Reads the command line; throws `invalid-input` with what is wrong. */
export function parseStartOptions(argv: readonly string[]): StartOptions {
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
    throw new HawserError('invalid-input', messageOf(error), { hint: 'See npm start -- --help.' });
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
    dataDir: resolve(values.data ?? '.hawser'),
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
