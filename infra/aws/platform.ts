import { DefaultStackSynthesizer, Stack, Tags, type App, type IStackSynthesizer } from 'aws-cdk-lib';
import { ManagedPolicy, PermissionsBoundary } from 'aws-cdk-lib/aws-iam';
import { RegionInfo } from 'aws-cdk-lib/region-info';
import { z } from 'zod';
import { partitionOf } from './names.ts';

/** What the platform of an account asks of every stack in it. */
export interface PlatformSettings {
  /** Name (with its path, where it has one) or ARN of the policy that bounds every role; no role is made without it. */
  permissionsBoundary?: string | undefined;
  /** On everything that takes tags, beside `hawser:environment` and `hawser:organisation`. */
  tags?: Record<string, string> | undefined;
  /** Of the bootstrap stack, where it is not CDK's default. */
  qualifier?: string | undefined;
}

const boundaryName = /^(?:[\w.,@=+-]+\/)*[\w+=,.@-]{1,128}$/;
const boundaryArn = /^arn:(aws[a-z-]*):iam::(\d{12}|aws):policy\/(?:[!-~]+\/)?[\w+=,.@-]{1,128}$/;
/** IAM's characters, which every service with tags takes. */
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
/** AWS allows 50; two are Hawser's, and `Name` and CloudFormation's own need room. */
const mostTags = 40;

/** Context keys of these settings, for every app of infra/aws. */
export const platformContext = {
  permissionsBoundary: z
    .string()
    .refine((text) => boundaryArn.test(text) || boundaryName.test(text), 'is neither name nor ARN of an IAM policy')
    .optional(),
  tags: z
    .string()
    .transform((text, context) => {
      const { tags, problems } = readTags(text);
      for (const message of problems) context.addIssue({ code: 'custom', message });
      return tags;
    })
    .optional(),
  qualifier: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,10}$/, 'is no qualifier of a bootstrap stack: 1 to 10 letters, digits, _ and -')
    .optional(),
};

/** A region that CDK knows: a misspelt one fails here, not at an address that nobody has. */
export const regionContext = z
  .string()
  .refine((region) => regions().includes(region), { error: ({ input }) => `is no region: ${nearest(String(input))}` });

/** What does not fit the deployment's place, as `[key, what is wrong]`. */
export function boundaryProblems(
  boundary: string | undefined,
  { region, account }: { region: string; account?: string | undefined },
): { path: string; message: string }[] {
  const [, partition, owner] = boundaryArn.exec(boundary ?? '') ?? [];
  const say = (message: string) => [{ path: 'permissionsBoundary', message }];
  if (partition === undefined) return [];
  if (partition !== partitionOf(region)) return say(`is of partition ${partition}, region ${region} is not`);
  return owner === 'aws' || account === undefined || owner === account
    ? []
    : say(`must be of account ${account}: a role takes policies of its own account only`);
}

/** Properties that each stack needs. */
export function platformProps({ qualifier }: PlatformSettings): { synthesizer?: IStackSynthesizer } {
  // Its optional properties are declared otherwise than the interface's.
  return qualifier === undefined
    ? {}
    : { synthesizer: new DefaultStackSynthesizer({ qualifier }) as IStackSynthesizer };
}

/** Puts boundary and tags on everything in the app's stacks, roles that CDK makes by itself included. Call it once, at the end. */
export function applyPlatform(
  app: App,
  settings: PlatformSettings & { environment: string; organisation: string; region: string },
): void {
  const { permissionsBoundary, tags = {}, region } = settings;
  Tags.of(app).add('hawser:environment', settings.environment);
  Tags.of(app).add('hawser:organisation', settings.organisation);
  for (const [key, value] of Object.entries(tags)) Tags.of(app).add(key, value);
  if (permissionsBoundary === undefined) return;
  for (const stack of app.node.children.filter(Stack.isStack)) {
    const arn = permissionsBoundary.startsWith('arn:')
      ? permissionsBoundary
      : `arn:${partitionOf(region)}:iam::${stack.account}:policy/${permissionsBoundary}`;
    PermissionsBoundary.of(stack).apply(ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', arn));
  }
}

/** `owner=platform,cost-centre=42`: values hold no commas (AWS takes none). */
function readTags(text: string): { tags: Record<string, string>; problems: string[] } {
  const pairs = text.split(',').map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string?]);
  const keys = pairs.map(([key]) => key.toLowerCase());
  const problems = pairs.flatMap(([key, value], index) => {
    // Alarms and dashboards take no empty value.
    if (key === '' || value === undefined || value === '')
      return [`"${key}" is not KEY=VALUE; several have commas between them`];
    if (key.length > 128 || value.length > 256 || !tagText.test(key + value))
      return [`"${key}" takes letters, digits, spaces and _.:/=+-@, up to 128 before = and 256 after it`];
    if (/^(aws|hawser):/i.test(key)) return [`"${key}": keys that begin with aws: or hawser: are taken`];
    // A role's tags are its sessions' too, and by these two an agent's session says whose it is.
    if (/^(organisation|cluster)$/i.test(key)) return [`"${key}" is what agents' sessions are told apart by`];
    return keys.indexOf(key.toLowerCase()) < index ? [`"${key}" is there twice (roles do not tell case apart)`] : [];
  });
  if (pairs.length > mostTags) problems.push(`are ${pairs.length}, no more than ${mostTags} fit`);
  return { tags: Object.fromEntries(pairs.map(([key, value]) => [key, value ?? ''])), problems };
}

/** Of the partitions that `partitionOf` can tell apart. */
function regions(): string[] {
  return RegionInfo.regions
    .filter(({ name, partition }) => partition === partitionOf(name))
    .map(({ name }) => name)
    .toSorted();
}

/** Regions of the same place, or of the same continent. */
function nearest(region: string): string {
  const alike = [region.replace(/-\d+$/, ''), region.slice(0, 2)]
    .map((start) => regions().filter((name) => name.startsWith(`${start}-`)))
    .find((names) => names.length > 0);
  return alike === undefined ? 'they are called such as eu-central-1' : `there are ${alike.join(', ')}`;
}
