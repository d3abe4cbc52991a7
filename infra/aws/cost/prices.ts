/** What one unit costs, in US dollars, before taxes and free tiers. */
export interface Price {
  usd: number;
  unit: string;
  /** The page to compare the figure with. */
  from: string;
}

const lambda = 'aws.amazon.com/lambda/pricing';
const dynamodb = 'aws.amazon.com/dynamodb/pricing/on-demand';
const cloudwatch = 'aws.amazon.com/cloudwatch/pricing';
const kms = 'aws.amazon.com/kms/pricing';

/** The region, and when the figures were written down. */
export const pricesOf = {
  region: 'eu-central-1',
  asOf: '2026-11',
  /** No price list could be fetched where this was written: figures are from memory of the pages they name. Compare before you rely on them. */
  note: 'from memory of the price pages named in cost/prices.ts, not fetched from AWS; without free tiers, discounts and taxes',
} as const;

export const prices = {
  lambdaRequest: price(0.2e-6, 'invocation', lambda),
  lambdaArm: price(0.0000133334, 'GB-second', lambda),
  lambdaX64: price(0.0000166667, 'GB-second', lambda),
  /** Tenant isolation: each time an environment is made for a tenant. */
  lambdaTenantStart: price(0.000167, 'GB of a new environment', lambda),
  httpRequest: price(1.2e-6, 'request of up to 512 KB', 'aws.amazon.com/api-gateway/pricing'),
  sqsRequest: price(0.4e-6, 'request of up to 64 KB', 'aws.amazon.com/sqs/pricing'),
  /** Messages with a group on a standard queue. */
  sqsFair: price(0.1e-6, 'request with a group', 'aws.amazon.com/sqs/pricing'),
  tableRead: price(0.1525e-6, 'read request unit (4 KB)', dynamodb),
  tableWrite: price(0.7625e-6, 'write request unit (1 KB)', dynamodb),
  tableStorage: price(0.306, 'GB-month', dynamodb),
  tableBackup: price(0.2448, 'GB-month of point-in-time recovery', dynamodb),
  secret: price(0.4, 'secret and month', 'aws.amazon.com/secrets-manager/pricing'),
  secretCall: price(5e-6, 'call', 'aws.amazon.com/secrets-manager/pricing'),
  key: price(1, 'key and month', kms),
  keyCall: price(3e-6, 'call of a symmetric key', kms),
  schedule: price(1e-6, 'invocation', 'aws.amazon.com/eventbridge/pricing'),
  logBytes: price(0.63, 'GB taken in', cloudwatch),
  logStorage: price(0.0324, 'GB-month', cloudwatch),
  alarm: price(0.1, 'metric of an alarm and month', cloudwatch),
  metric: price(0.3, 'metric of our own and month', cloudwatch),
  dashboard: price(3, 'dashboard and month', cloudwatch),
  trace: price(5e-6, 'trace', 'aws.amazon.com/xray/pricing'),
  dataOut: price(0.09, 'GB to the internet', 'aws.amazon.com/ec2/pricing/on-demand'),
  webAcl: price(5, 'WebACL and month', 'aws.amazon.com/waf/pricing'),
  webAclRule: price(1, 'rule and month', 'aws.amazon.com/waf/pricing'),
  webAclRequest: price(0.6e-6, 'request', 'aws.amazon.com/waf/pricing'),
  cdnRequest: price(1.2e-6, 'HTTPS request (Europe)', 'aws.amazon.com/cloudfront/pricing'),
} as const satisfies Record<string, Price>;

export type PriceName = keyof typeof prices;

function price(usd: number, unit: string, from: string): Price {
  return { usd, unit, from };
}
