import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { functions, type FunctionSpec as DeployedFunction } from '#infra/aws/functions.ts';
import { namesOf } from '#infra/aws/names.ts';
import type { Route } from './http-event.ts';
import type { FunctionSpec } from './lambda-instance.ts';

/** Where this deployment pretends to be: LocalStack's account. */
export const region = 'eu-central-1';
export const account = '000000000000';
/** The emulators' administrator; they take any key. */
export const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

/** Each function has a key of its own, so that a watcher can tell their calls apart. DynamoDB Local takes letters and digits only. */
export function accessKeyOf(functionName: string): string {
  return `LOCAL${functionName.replaceAll('-', '').toUpperCase()}`;
}

/** Addresses of what the functions use. */
export interface Endpoints {
  dynamodb: string;
  localstack: string;
  sts: string;
  /** Lambda's Invoke API. */
  lambda: string;
}

/** Names as infra gives them to an environment `local`. */
export function localNames(organisation: string) {
  return namesOf({ environment: 'local', organisation, region });
}

/** Instances of one function at once, whatever infra reserves: this is one machine, and each takes about 100 MB. */
const mostInstances = Math.min(4, Math.max(2, availableParallelism()));

/** The functions of infra with their bundles and, each of them, exactly the variables that infra would give it. */
export function functionSpecs(options: {
  organisation: string;
  /** Values by the names that infra lists. */
  values: Readonly<Record<string, string>>;
  /** By the names of infra. */
  endpointsOf: (name: string) => Endpoints;
  /** Holds NAME/index.mjs. */
  bundles: string;
  /** Folder that stands for the sandbox's layers. */
  tools: string;
  /** Folder for what the functions write to /tmp. */
  scratch: string;
  logLevel: string;
  log: (name: string, chunk: Buffer) => void;
}): FunctionSpec[] {
  const names = localNames(options.organisation);
  return functions.map((spec) => ({
    name: names.function(spec.name),
    bundle: join(options.bundles, spec.name, 'index.mjs'),
    environment: spec.isSandbox === true ? { HAWSER_TOOLS: options.tools } : environmentOf(spec, options),
    timeoutSeconds: spec.timeoutSeconds,
    memoryMb: spec.memoryMb,
    concurrency: Math.min(mostInstances, spec.reserved),
    ...(spec.isSandbox === true ? {} : { scratch: join(options.scratch, spec.name) }),
    // The sandbox has no permission to write logs: what it prints is lost, as on AWS.
    ...(spec.isSandbox === true ? {} : { log: (chunk: Buffer) => options.log(spec.name, chunk) }),
  }));
}

/** What infra sets, what Lambda would find by itself (credentials), and where the emulators are. */
function environmentOf(
  spec: DeployedFunction,
  { organisation, values, endpointsOf, logLevel }: Parameters<typeof functionSpecs>[0],
): Record<string, string> {
  const endpoints = endpointsOf(spec.name);
  const own = spec.environment.flatMap((name): [string, string][] => {
    const value = values[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    HAWSER_ENVIRONMENT: 'local',
    HAWSER_ORGANISATION: organisation,
    HAWSER_LOG_LEVEL: logLevel,
    ...Object.fromEntries(own),
    // The demo's Git host is on this machine.
    ...(spec.name === 'plan' ? { HAWSER_PRIVATE_ADDRESSES: 'allow' } : {}),
    AWS_ACCESS_KEY_ID: accessKeyOf(spec.name),
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamodb,
    AWS_ENDPOINT_URL_SQS: endpoints.localstack,
    AWS_ENDPOINT_URL_KMS: endpoints.localstack,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoints.localstack,
    AWS_ENDPOINT_URL_STS: endpoints.sts,
    AWS_ENDPOINT_URL_LAMBDA: endpoints.lambda,
    // Nothing of the user's own settings.
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

/** Routes of the HTTP API, the most specific first, as API Gateway chooses among them. */
export function routesOf(organisation: string): Route[] {
  const names = localNames(organisation);
  const all = functions.flatMap((spec) =>
    (spec.trigger.routes ?? []).map((key) => ({ key, functionName: names.function(spec.name) })),
  );
  return all.toSorted((a, b) => generality(a.key) - generality(b.key));
}

/** Whole paths before those with variables before those that take anything; a method before `ANY`. */
function generality(key: string): number {
  return (key.includes('+}') ? 4 : key.includes('{') ? 2 : 0) + (key.startsWith('ANY ') ? 1 : 0);
}
