import { z } from 'zod';
import { idPattern } from '#shared/domain/ids.ts';
import { HawserError } from '#shared/errors.ts';
import { partitionOf } from './names.ts';
import { boundaryProblems, platformContext, regionContext, type PlatformSettings } from './platform.ts';

/** What one deployment is: an environment of one organisation in one region. Everything that stacks, policies and names depend on. */
export interface DeploymentSettings extends PlatformSettings {
  /** Part of every resource's name: `hawser-ENV-…`. */
  environment: string;
  region: string;
  organisation: string;
  /** 12 digits; absent where the templates should fit whichever account deploys them. */
  account?: string;
  /** `aws`: AWS-owned keys encrypt table, queues and topic at no cost. `customer`: a key of this account, with a policy of its own. */
  encryption: 'aws' | 'customer';
  /** A key that is there already, instead of one that the state stack makes for `customer`. */
  dataKeyArn?: string | undefined;
  /** Whether agents may get credentials of their own for table and queues, or speak HTTPS only. */
  agents: 'direct' | 'https';
  /** `reserved`: every function has its share of the account's concurrency, so that a flood of one leaves the others theirs. */
  concurrency: 'reserved' | 'unreserved';
  /** Concurrent executions that the account may run (Service Quotas: Lambda, Concurrent executions). */
  accountConcurrency: number;
  /** ARNs of repositories in CodeCommit that may be read with the role of plan. */
  codeCommit?: string[];
  logDays: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Whether repositories may lie in private networks, and be fetched over plain http. */
  privateAddresses: 'allow' | 'deny';
  domain?: { name: string; certificateArn: string; zone?: { id: string; name: string } };
  /** CloudFront and a WebACL before the HTTP API, which takes no WebACL itself. */
  waf?: { certificateArn?: string; requestsPerFiveMinutes: number };
  /** Who is told about alarms. */
  alarmEmail?: string;
}

const flag = z.enum(['on', 'off']);
const wholeNumber = (most: number) => z.coerce.number().int().min(1).max(most);
const certificate = z
  .string()
  .regex(/^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[0-9a-f-]+$/, 'is no ARN of an ACM certificate');
/** By its id: an alias may lead elsewhere tomorrow, and policies name keys. */
export const keyArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/(mrk-)?[0-9a-f-]+$/, 'is no ARN of a KMS key (not an alias)');
const hostName = z
  .string()
  .regex(/^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'is no host name');

/** Days for which CloudWatch Logs can keep a group. */
const logRetention = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** Context keys as `cdk -c KEY=VALUE` gives them: all text. What each means is in README.md. */
const Context = z
  .object({
    // Without hyphens, so that no environment's names are the beginning of another's: policies end in wildcards.
    environment: z
      .string()
      .regex(/^[a-z][a-z0-9]{0,19}$/, 'is no name: 1 to 20 characters of a-z and 0-9, a letter first'),
    region: regionContext,
    organisation: z.string().regex(idPattern, 'is no id: 1 to 63 characters of a-z, 0-9 and -'),
    account: z
      .string()
      .regex(/^\d{12}$/, 'is no account: 12 digits')
      .optional(),
    ...platformContext,
    encryption: z.enum(['aws', 'customer']).default('aws'),
    dataKeyArn: keyArn.optional(),
    agents: z.enum(['direct', 'https']).default('direct'),
    concurrency: z.enum(['reserved', 'unreserved']).default('reserved'),
    accountConcurrency: wholeNumber(1_000_000).default(1000),
    codeCommit: z
      .string()
      .transform((text) => text.split(',').map((one) => one.trim()))
      .pipe(
        z.array(
          z
            .string()
            .regex(
              /^arn:aws[a-z-]*:codecommit:[a-z0-9-]+:\d{12}:[\w.-]{1,100}$/,
              'is no ARN of a repository in CodeCommit',
            ),
        ),
      )
      .optional(),
    logDays: z.coerce
      .number()
      .refine((days) => logRetention.includes(days), `is none of ${logRetention.join(', ')}`)
      .default(30),
    logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    privateAddresses: z.enum(['allow', 'deny']).default('deny'),
    domain: hostName.optional(),
    certificateArn: certificate.optional(),
    zoneId: z
      .string()
      .regex(/^Z[A-Z0-9]{5,31}$/, 'is no id of a hosted zone')
      .optional(),
    zoneName: hostName.optional(),
    waf: flag.default('off'),
    wafCertificateArn: certificate.optional(),
    wafRequests: wholeNumber(2_000_000_000).default(20_000),
    alarmEmail: z.email('is no e-mail address').optional(),
  })
  .superRefine((context, { addIssue }) => {
    for (const { path, message } of contradictions(context)) addIssue({ code: 'custom', path: [path], message });
  });

/** The keys that may be given with `-c`. */
export const contextKeys: readonly string[] = Object.keys(Context.shape);

/**
 * Settings from context: `read(key)` gives the value of `-c key=value`, undefined where there is none.
 * Throws `invalid-input` naming every problem at once.
 */
export function readSettings(read: (key: string) => unknown): DeploymentSettings {
  const given = contextKeys.map((key) => [key, textOf(read(key))] as const).filter(([, value]) => value !== undefined);
  const parsed = Context.safeParse(Object.fromEntries(given));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => problemOf(issue, read));
    throw new HawserError('invalid-input', `the deployment cannot be described:\n  ${problems.join('\n  ')}`, {
      hint: 'For example: -c environment=prod -c region=eu-central-1 -c organisation=acme. All keys are in infra/aws/README.md.',
      data: { problems },
    });
  }
  const { domain, certificateArn, zoneId, zoneName, waf, wafCertificateArn, wafRequests, ...rest } = parsed.data;
  return {
    ...withoutUndefined(rest),
    ...(domain === undefined || certificateArn === undefined
      ? {}
      : {
          domain: {
            name: domain,
            certificateArn,
            ...(zoneId === undefined || zoneName === undefined ? {} : { zone: { id: zoneId, name: zoneName } }),
          },
        }),
    ...(waf === 'off'
      ? {}
      : {
          waf: {
            requestsPerFiveMinutes: wafRequests,
            ...(wafCertificateArn === undefined ? {} : { certificateArn: wafCertificateArn }),
          },
        }),
  } as DeploymentSettings;
}

interface Given {
  region: string;
  account?: string | undefined;
  permissionsBoundary?: string | undefined;
  encryption: 'aws' | 'customer';
  dataKeyArn?: string | undefined;
  domain?: string | undefined;
  certificateArn?: string | undefined;
  zoneId?: string | undefined;
  zoneName?: string | undefined;
  waf: 'on' | 'off';
  wafCertificateArn?: string | undefined;
}

/** Values that do not go together, and under which key to say so. */
function contradictions(given: Given): { path: string; message: string }[] {
  const { domain, zoneName } = given;
  const found: [boolean, string, string][] = [
    [domain !== undefined && given.certificateArn === undefined, 'certificateArn', 'is needed for -c domain'],
    [
      given.certificateArn !== undefined && !given.certificateArn.includes(`:acm:${given.region}:`),
      'certificateArn',
      `must be of region ${given.region}`,
    ],
    [domain === undefined && given.certificateArn !== undefined, 'domain', 'is needed for -c certificateArn'],
    [(given.zoneId === undefined) !== (zoneName === undefined), 'zoneName', 'and zoneId go together'],
    [
      domain !== undefined && zoneName !== undefined && !`.${domain}`.endsWith(`.${zoneName}`),
      'zoneName',
      `does not hold ${domain}`,
    ],
    [
      given.dataKeyArn !== undefined && given.encryption === 'aws',
      'dataKeyArn',
      'goes with -c encryption=customer only',
    ],
    [
      given.dataKeyArn !== undefined && !given.dataKeyArn.includes(`:kms:${given.region}:`),
      'dataKeyArn',
      `must be of region ${given.region}`,
    ],
    [
      given.waf === 'on' && partitionOf(given.region) !== 'aws',
      'waf',
      `is for regions with CloudFront, and ${given.region} has none`,
    ],
    [
      given.waf === 'on' && domain !== undefined && given.wafCertificateArn === undefined,
      'wafCertificateArn',
      'is needed for -c waf=on with -c domain',
    ],
    [
      given.wafCertificateArn !== undefined && !given.wafCertificateArn.includes(':acm:us-east-1:'),
      'wafCertificateArn',
      'must be of region us-east-1, the only one from which CloudFront takes certificates',
    ],
  ];
  return [
    ...found.flatMap(([isWrong, path, message]) => (isWrong ? [{ path, message }] : [])),
    ...boundaryProblems(given.permissionsBoundary, given),
  ];
}

function problemOf(issue: z.core.$ZodIssue, read: (key: string) => unknown): string {
  const key = String(issue.path[0] ?? '');
  const value = textOf(read(key));
  if (value === undefined && issue.code !== 'custom') return `${key} is missing: give it with -c ${key}=…`;
  return value === undefined ? `${key} ${issue.message}` : `${key} ${JSON.stringify(value)}: ${issue.message}`;
}

/** Context also comes from cdk.json, where a number need not be text. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as T;
}
