import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { SQSClient } from '@aws-sdk/client-sqs';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createQueues } from '#shared/adapters/aws/sqs-queues.ts';
import { HawserError } from '#shared/errors.ts';
import type { AwsAccess } from '#shared/messages/agent-identity.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Hub } from '#shared/ports/hub.ts';
import { createSnapshotChunks } from '#shared/state/chunks.ts';
import { explainFailure, proxyEnvOf, type ProxySettings } from '../proxy.ts';
import type { Session, SessionKeeper } from '../identity/session.ts';
import { createDirectHub } from './direct-hub.ts';

/** Where the service's rows and queues are. */
export type AwsPlaces = Omit<AwsAccess, 'credentials'>;

export interface AwsHubDeps {
  organisation: string;
  cluster: string;
  /** A session: its places and credentials. Places alone: credentials from the SDK's default chain (IRSA, EKS Pod Identity). */
  from: SessionKeeper | AwsPlaces;
  clock: Clock;
  random: () => number;
  /** Between us and AWS; also for the exchange of a pod's token for credentials (IRSA). */
  proxy?: ProxySettings | undefined;
}

/** What AWS says of credentials that ended, were revoked or do not reach so far. */
const credentialTrouble = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'AccessDenied',
  'AccessDeniedException',
  'CredentialsProviderError',
]);

/** A wake queue keeps nothing that matters: no message of it ever dies. */
const wakeSettings = { name: 'wake', visibilitySeconds: 30, maxReceives: 1000 };
const mailSettings = { name: 'agent-mail', visibilitySeconds: 30, maxReceives: 1000 };

/**
 * The direct hub over DynamoDB, SQS and KMS. Loaded only where it is used (`import()`), because the SDK costs memory.
 * Credentials that are refused in the middle of their life are renewed once; then the error is `unauthenticated`, later.
 */
export function createAwsHub(deps: AwsHubDeps): Hub {
  const keeper = 'current' in deps.from ? deps.from : undefined;
  let opened: { places: string; hub: Hub } | undefined;

  async function run<T>(call: (hub: Hub) => Promise<T>): Promise<T> {
    const session = await keeper?.current();
    try {
      return await call(hubAt(session));
    } catch (error) {
      if (!isCredentialTrouble(error)) throw explained(error, deps.proxy);
      if (keeper === undefined || session === undefined) throw notLetIn(error);
      const renewed = await keeper.renew(session);
      return await call(hubAt(renewed)).catch((again: unknown) => {
        throw isCredentialTrouble(again) ? notLetIn(again) : explained(again, deps.proxy);
      });
    }
  }

  /** Clients stay while places do: they ask the keeper for credentials with every request. */
  function hubAt(session: Session | undefined): Hub {
    const places = placesOf(deps, session);
    const text = JSON.stringify(places);
    if (opened?.places !== text) opened = { places: text, hub: openHub(deps, places, keeper) };
    return opened.hub;
  }

  return {
    poll: (options) => run((hub) => hub.poll(options)),
    chunks: (digests) => run((hub) => hub.chunks(digests)),
    report: (report) => run((hub) => hub.report(report)),
    answer: (answer) => run((hub) => hub.answer(answer)),
  };
}

function placesOf({ from }: AwsHubDeps, session: Session | undefined): AwsPlaces {
  if (!('current' in from)) return from;
  if (session?.aws === undefined) {
    throw new HawserError('unavailable', 'the service no longer gives direct access', { retry: 'later' });
  }
  const { credentials: _, ...places } = session.aws;
  return places;
}

function openHub(deps: AwsHubDeps, places: AwsPlaces, keeper: SessionKeeper | undefined): Hub {
  const { organisation, cluster, clock, random } = deps;
  const { table, cipherKey: keyId } = places;
  const at = (service: 'dynamodb' | 'sqs' | 'kms') => {
    const endpoint = places.endpoints?.[service];
    return { region: places.region, ...(endpoint === undefined ? {} : { endpoint }) };
  };
  const session = keeper === undefined ? {} : { credentials: credentialsOf(keeper, clock) };
  const client = new DynamoDBClient({ ...settingsThrough(deps.proxy), ...at('dynamodb'), ...session });
  // One cache for all: a role's credentials are asked for once.
  const { credentials } = client.config;
  const rows = { client, table, clock, random };
  const kms = new KMSClient({ ...settingsThrough(deps.proxy), ...at('kms'), credentials });
  const sqs = new SQSClient({ ...settingsThrough(deps.proxy, 'long-polls'), ...at('sqs'), credentials });
  const chunks = createChunkStore(rows);
  const queueAt = (url: string, settings: typeof wakeSettings) =>
    createQueues({ client: sqs, clock, random, chunks, urls: () => ({ url, deadUrl: url }) }).open(settings);
  return createDirectHub({
    organisation,
    cluster,
    clock,
    random,
    store: createStateStore(rows),
    snapshots: createSnapshotChunks(chunks, createKmsCipher({ client: kms, clock, keyId })),
    wake: queueAt(places.wakeQueue, wakeSettings),
    mail: queueAt(places.mailQueue, mailSettings),
  });
}

/** A connection through a proxy is made only once the far end has shown its certificate: that takes longer. */
function settingsThrough(proxy: ProxySettings | undefined, kind?: 'long-polls') {
  const settings = clientSettings(kind);
  if (proxy === undefined) return settings;
  const through = { proxyEnv: proxyEnvOf(proxy) };
  const requestHandler = {
    ...settings.requestHandler,
    connectionTimeout: 10_000,
    httpAgent: through,
    httpsAgent: through,
  };
  return { ...settings, requestHandler };
}

function explained(error: unknown, proxy: ProxySettings | undefined): unknown {
  const why = error instanceof HawserError ? explainFailure(error, proxy) : undefined;
  if (why === undefined || !(error instanceof HawserError)) return error;
  const { code, message, data, retry, hint } = error;
  return new HawserError(code, `${message}: ${why}`, {
    data,
    retry,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Already ended for the SDK's own cache, so that it asks here each time: the keeper renews, and knows what was refused. */
function credentialsOf(keeper: SessionKeeper, clock: Clock) {
  return async () => {
    const { aws } = await keeper.current();
    if (aws === undefined)
      throw new HawserError('unavailable', 'the service no longer gives direct access', { retry: 'later' });
    return { ...aws.credentials, expiration: new Date(clock.now()) };
  };
}

function isCredentialTrouble(error: unknown): error is HawserError {
  return error instanceof HawserError && credentialTrouble.has(String(error.data['error']));
}

function notLetIn(error: HawserError): HawserError {
  return new HawserError('unauthenticated', `AWS refuses this agent: ${error.message}`, {
    retry: 'later',
    cause: error,
    data: error.data,
    hint: "See the role's policy, and whether the cluster was revoked.",
  });
}
