import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';

const id = z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 characters of a-z, 0-9 and -');
const port = z.coerce.number().int().min(0).max(65535);
const flag = z
  .enum(['0', '1'])
  .optional()
  .transform((value) => value === '1');

const Environment = z
  .object({
    HAWSER_SERVER: z.url({ protocol: /^https?$/, error: 'must be an http(s) address' }),
    HAWSER_AGENT_TOKEN: z.string().min(1).optional(),
    HAWSER_AGENT_TOKEN_FILE: z.string().min(1).optional(),
    HAWSER_ORGANISATION: id,
    HAWSER_CLUSTER: id,
    HAWSER_ROOT_KEY: z.base64('must be the base64 text of a public key (SPKI)').min(1),
    KUBECONFIG: z.string().min(1).optional(),
    HAWSER_CONTEXT: z.string().min(1).optional(),
    HAWSER_NAMESPACE: id.default('hawser-system'),
    HAWSER_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    HAWSER_METRICS_PORT: port.optional(),
    HAWSER_EXIT_WITH_PARENT: flag,
  })
  .refine((values) => values.HAWSER_AGENT_TOKEN !== undefined || values.HAWSER_AGENT_TOKEN_FILE !== undefined, {
    path: ['HAWSER_AGENT_TOKEN'],
    message: 'must be set, or HAWSER_AGENT_TOKEN_FILE',
  });

export interface AgentSettings {
  server: string;
  token?: string | undefined;
  tokenFile?: string | undefined;
  organisation: string;
  cluster: string;
  /** SPKI DER, base64: the organisation's root key, pinned at registration. */
  rootKey: string;
  kubeconfig?: string | undefined;
  context?: string | undefined;
  /** Where the agent keeps its state. */
  namespace: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  metricsPort?: number | undefined;
  exitWithParent: boolean;
}

/** Reads the settings from an environment; throws one `invalid-input` that names every problem. */
export function parseSettings(environment: Record<string, string | undefined>): AgentSettings {
  // An empty variable counts as absent: that is how charts and shells leave things out.
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(present);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
    throw new HawserError('invalid-input', `The environment is not right: ${problems.join('; ')}`, {
      data: { problems },
      hint: 'Set these variables; the chart and `hawser cluster add` do it for you.',
    });
  }
  const values = parsed.data;
  return {
    server: values.HAWSER_SERVER,
    token: values.HAWSER_AGENT_TOKEN,
    tokenFile: values.HAWSER_AGENT_TOKEN_FILE,
    organisation: values.HAWSER_ORGANISATION,
    cluster: values.HAWSER_CLUSTER,
    rootKey: values.HAWSER_ROOT_KEY,
    kubeconfig: values.KUBECONFIG,
    context: values.HAWSER_CONTEXT,
    namespace: values.HAWSER_NAMESPACE,
    logLevel: values.HAWSER_LOG_LEVEL,
    metricsPort: values.HAWSER_METRICS_PORT,
    exitWithParent: values.HAWSER_EXIT_WITH_PARENT,
  };
}
