import { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { readProxies, type ProxySettings } from './proxy.ts';

const id = z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be 1 to 63 characters of a-z, 0-9 and -');
const text = z.string().min(1).optional();
const address = z.url({ protocol: /^https?$/, error: 'must be an http(s) address' });
const port = z.coerce.number().int().min(0).max(65535);
const flag = z
  .enum(['0', '1'])
  .optional()
  .transform((value) => value === '1');

const Environment = z
  .object({
    HAWSER_SERVER: address,
    HAWSER_AGENT_TOKEN: text,
    HAWSER_AGENT_TOKEN_FILE: text,
    HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: text,
    HAWSER_REGISTRATION_TOKEN: text,
    HAWSER_REGISTRATION_TOKEN_FILE: text,
    HAWSER_HUB: z.enum(['auto', 'https', 'direct']).default('auto'),
    HAWSER_AWS_TABLE: text,
    HAWSER_AWS_CIPHER_KEY: text,
    HAWSER_AWS_WAKE_QUEUE: address.optional(),
    HAWSER_AWS_MAIL_QUEUE: address.optional(),
    AWS_REGION: text,
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
  .superRefine((values, context) => {
    const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const token = values.HAWSER_AGENT_TOKEN ?? values.HAWSER_AGENT_TOKEN_FILE;
    const places = awsNames.filter((name) => values[name] !== undefined);
    const lacking = awsNames.filter((name) => values[name] === undefined);
    if (places.length > 0 && lacking.length > 0 && places.some((name) => name !== 'AWS_REGION'))
      for (const name of lacking) complain(name, `must be set, as ${places.join(', ')} is`);
    if (token !== undefined && values.HAWSER_SERVICE_ACCOUNT_TOKEN_FILE !== undefined)
      complain('HAWSER_AGENT_TOKEN', 'must not be set beside HAWSER_SERVICE_ACCOUNT_TOKEN_FILE');
    const isDirect = lacking.length === 0;
    const bearer = token ?? values.HAWSER_SERVICE_ACCOUNT_TOKEN_FILE;
    if (bearer === undefined && (!isDirect || values.HAWSER_HUB === 'https'))
      complain('HAWSER_AGENT_TOKEN', 'must be set, or HAWSER_AGENT_TOKEN_FILE, or HAWSER_SERVICE_ACCOUNT_TOKEN_FILE');
    if (values.HAWSER_HUB === 'direct' && !isDirect && values.HAWSER_SERVICE_ACCOUNT_TOKEN_FILE === undefined)
      complain(
        'HAWSER_HUB',
        'can be direct only with HAWSER_SERVICE_ACCOUNT_TOKEN_FILE, or with the places in AWS (HAWSER_AWS_TABLE and the others)',
      );
  });

const awsNames = [
  'AWS_REGION',
  'HAWSER_AWS_TABLE',
  'HAWSER_AWS_CIPHER_KEY',
  'HAWSER_AWS_WAKE_QUEUE',
  'HAWSER_AWS_MAIL_QUEUE',
] as const;

export interface AgentSettings {
  server: string;
  token?: string | undefined;
  tokenFile?: string | undefined;
  /** Projected ServiceAccount token (audience `hawser`), exchanged for short-lived credentials. */
  serviceAccountTokenFile?: string | undefined;
  /** Used once, where the cluster is not registered yet. */
  registrationToken?: string | undefined;
  registrationTokenFile?: string | undefined;
  /** `auto`: directly where the service gives that and the network lets us, else over HTTPS. */
  hub: 'auto' | 'https' | 'direct';
  /** Where the service's rows and queues are, for roles that the pod has already (IRSA, EKS Pod Identity). */
  aws?: { region: string; table: string; cipherKey: string; wakeQueue: string; mailQueue: string } | undefined;
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
  /** From HTTPS_PROXY, HTTP_PROXY and NO_PROXY. */
  proxy?: ProxySettings | undefined;
  exitWithParent: boolean;
}

/** Reads the settings from an environment; throws one `invalid-input` that names every problem. */
export function parseSettings(environment: Record<string, string | undefined>): AgentSettings {
  // An empty variable counts as absent: that is how charts and shells leave things out.
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(present);
  const problems = (parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`);
  const proxy = readProxies(present, (variable, problem) => problems.push(`${variable} ${problem}`));
  if (!parsed.success || problems.length > 0) {
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
    serviceAccountTokenFile: values.HAWSER_SERVICE_ACCOUNT_TOKEN_FILE,
    registrationToken: values.HAWSER_REGISTRATION_TOKEN,
    registrationTokenFile: values.HAWSER_REGISTRATION_TOKEN_FILE,
    hub: values.HAWSER_HUB,
    aws: awsOf(values),
    organisation: values.HAWSER_ORGANISATION,
    cluster: values.HAWSER_CLUSTER,
    rootKey: values.HAWSER_ROOT_KEY,
    kubeconfig: values.KUBECONFIG,
    context: values.HAWSER_CONTEXT,
    namespace: values.HAWSER_NAMESPACE,
    logLevel: values.HAWSER_LOG_LEVEL,
    metricsPort: values.HAWSER_METRICS_PORT,
    proxy,
    exitWithParent: values.HAWSER_EXIT_WITH_PARENT,
  };
}

/** The SDK's own AWS_REGION alone says nothing about direct access. */
function awsOf(values: z.infer<typeof Environment>): AgentSettings['aws'] {
  const { AWS_REGION: region, HAWSER_AWS_TABLE: table, HAWSER_AWS_CIPHER_KEY: cipherKey } = values;
  const { HAWSER_AWS_WAKE_QUEUE: wakeQueue, HAWSER_AWS_MAIL_QUEUE: mailQueue } = values;
  if (region === undefined || table === undefined || cipherKey === undefined) return undefined;
  return wakeQueue === undefined || mailQueue === undefined
    ? undefined
    : { region, table, cipherKey, wakeQueue, mailQueue };
}
