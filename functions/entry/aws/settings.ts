import { z } from 'zod';
import { idPattern } from '#shared/domain/ids.ts';
import { HawserError } from '#shared/errors.ts';

/** Set by the bundler: the version that was built. */
declare const HAWSER_VERSION: string | undefined;

const required = z.string('is missing').min(1, 'is empty');
/** A queue's URL or an address. */
const url = required.regex(/^https?:\/\/\S+$/, 'is no URL');

/** Every variable that functions read, by the name under which the code knows it. */
const variables = {
  environment: ['HAWSER_ENVIRONMENT', required.regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 of a-z, 0-9 and -')],
  organisation: ['HAWSER_ORGANISATION', required.regex(idPattern, 'must be 1 to 63 of a-z, 0-9 and -')],
  logLevel: ['HAWSER_LOG_LEVEL', z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info')],
  version: ['HAWSER_VERSION', z.string().default(typeof HAWSER_VERSION === 'string' ? HAWSER_VERSION : '0.0.0')],
  table: ['HAWSER_TABLE', required],
  queueBase: ['HAWSER_QUEUE_BASE', url],
  cipherKey: ['HAWSER_CIPHER_KEY', required],
  rootKeyPrefix: ['HAWSER_ROOT_KEY_PREFIX', required],
  secretPrefix: ['HAWSER_SECRET_PREFIX', required],
  renderFunction: ['HAWSER_RENDER_FUNCTION', required],
  /** Absent: agents get HTTPS only. */
  agentRole: ['HAWSER_AGENT_ROLE', z.string().startsWith('arn:', 'is no ARN').optional()],
  /** Unique id of that role, by which the queue names who sent agents' mail. */
  agentRoleId: [
    'HAWSER_AGENT_ROLE_ID',
    z
      .string()
      .regex(/^[A-Z0-9]{16,128}$/, 'is no id of a role')
      .optional(),
  ],
  url: ['HAWSER_URL', url.optional()],
  /** Repositories in private networks, and plain http to them: refused unless it says `allow` (NT-80). */
  privateAddresses: ['HAWSER_PRIVATE_ADDRESSES', z.enum(['allow', 'deny']).default('deny')],
  region: ['AWS_REGION', required],
  /** Endpoints of our own clients (emulators, private ones): the SDK reads them itself, agents are told of them. */
  dynamodbEndpoint: ['AWS_ENDPOINT_URL_DYNAMODB', url.optional()],
  sqsEndpoint: ['AWS_ENDPOINT_URL_SQS', url.optional()],
  kmsEndpoint: ['AWS_ENDPOINT_URL_KMS', url.optional()],
} as const;

export const endpointSettings = ['dynamodbEndpoint', 'sqsEndpoint', 'kmsEndpoint'] as const;

type Variables = typeof variables;
export type SettingName = keyof Variables;
export type Settings<Name extends SettingName> = { [Key in Name]: z.output<Variables[Key][1]> };

/** What every function needs. */
export type CommonSetting = 'environment' | 'organisation' | 'logLevel' | 'version';
const common: CommonSetting[] = ['environment', 'organisation', 'logLevel', 'version'];

/**
 * What `name`, one of our functions, needs of the environment, checked before anything else is done. An empty variable
 * counts as absent. Throws one `invalid-input` that names every problem and never says a value.
 */
export function readSettings<Name extends SettingName>(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  needed: readonly Name[],
): Settings<Name | CommonSetting> {
  const found: Partial<Record<SettingName, unknown>> = {};
  const problems: string[] = [];
  for (const key of new Set<SettingName>([...common, ...needed])) {
    const [variable, schema] = variables[key];
    const value = environment[variable];
    const result = schema.safeParse(value === '' ? undefined : value);
    if (result.success) found[key] = result.data;
    else problems.push(...result.error.issues.map((issue) => `${variable} ${issue.message}`));
  }
  if (problems.length === 0) return found as Settings<Name | CommonSetting>;
  throw new HawserError('invalid-input', `function ${name} cannot start: ${problems.join('; ')}`, {
    hint: 'Set these variables; infra/aws does so for what it deploys.',
    data: { problems },
  });
}

/** What agents with direct access are told of other endpoints than AWS's own. */
export function endpointsOf(
  settings: Settings<(typeof endpointSettings)[number]>,
): Partial<Record<'dynamodb' | 'sqs' | 'kms', string>> {
  const { dynamodbEndpoint: dynamodb, sqsEndpoint: sqs, kmsEndpoint: kms } = settings;
  return {
    ...(dynamodb === undefined ? {} : { dynamodb }),
    ...(sqs === undefined ? {} : { sqs }),
    ...(kms === undefined ? {} : { kms }),
  };
}
