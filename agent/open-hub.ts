import type { Clock } from '#shared/ports/clock.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';
import { readClusterUid, readTokenKeys } from './cluster/identity.ts';
import type { Requests } from './cluster/requests.ts';
import type { AwsPlaces } from './hub/aws-hub.ts';
import { createChosenHub } from './hub/choose-hub.ts';
import { createHttpHub } from './hub/http-hub.ts';
import { createHttpJson, type HttpJson } from './hub/http-json.ts';
import {
  createSessionCredentials,
  createStaticCredentials,
  readSecretFile,
  type Credentials,
} from './identity/credentials.ts';
import { createExchange } from './identity/exchange.ts';
import { createSessionKeeper, type SessionKeeper } from './identity/session.ts';
import type { AgentSettings } from './settings.ts';

export interface OpenHubDeps {
  settings: AgentSettings;
  requests: Requests;
  clock: Clock;
  log: Log;
  random: () => number;
}

/** The hub that the settings ask for, and the identity that it needs. Nothing is asked before its first call. */
export function openHub(deps: OpenHubDeps): Hub {
  const { settings, clock, log, random } = deps;
  const http = createHttpJson(new URL(settings.server), settings.proxy);
  const keeper = keeperOf(deps, http);
  const credentials = credentialsOf(deps, keeper);
  const https = credentials === undefined ? undefined : createHttpHub({ http, credentials });
  const from = settings.aws ?? keeper;
  if (https !== undefined && (settings.hub === 'https' || from === undefined)) return https;
  return createChosenHub({
    direct: directOf(deps, from),
    ...(https === undefined || settings.hub === 'direct' ? {} : { https }),
    clock,
    log,
    random,
  });
}

function keeperOf({ settings, requests, clock, log, random }: OpenHubDeps, http: HttpJson): SessionKeeper | undefined {
  const { organisation, cluster, serviceAccountTokenFile: file } = settings;
  if (file === undefined) return undefined;
  const obtain = createExchange({
    organisation,
    cluster,
    http,
    identity: { uid: () => readClusterUid(requests), tokenKeys: () => readTokenKeys(requests) },
    serviceAccountToken: () => readSecretFile(file),
    registrationToken: () => registrationTokenOf(settings),
    clock,
    log,
  });
  return createSessionKeeper({ obtain, clock, log, random });
}

/** An optional mount that is not there (any more) is no token. */
function registrationTokenOf({ registrationToken, registrationTokenFile }: AgentSettings): string | undefined {
  if (registrationToken !== undefined || registrationTokenFile === undefined) return registrationToken;
  try {
    return readSecretFile(registrationTokenFile);
  } catch {
    return undefined;
  }
}

function credentialsOf({ settings, clock }: OpenHubDeps, keeper: SessionKeeper | undefined): Credentials | undefined {
  const monotonic = () => clock.monotonic();
  if (settings.token !== undefined) return createStaticCredentials({ token: settings.token }, monotonic);
  if (settings.tokenFile !== undefined) return createStaticCredentials({ file: settings.tokenFile }, monotonic);
  return keeper === undefined ? undefined : createSessionCredentials(keeper);
}

/** The SDK is loaded with the first access that is given: agents that speak HTTPS only never pay for it. */
function directOf(
  { settings, clock, random }: OpenHubDeps,
  from: SessionKeeper | AwsPlaces | undefined,
): () => Promise<Hub | undefined> {
  const { organisation, cluster, proxy } = settings;
  let hub: Hub | undefined;
  return async () => {
    if (from === undefined) return undefined;
    if ('current' in from && (await from.current()).aws === undefined) return undefined;
    if (hub !== undefined) return hub;
    const { createAwsHub } = await import('./hub/aws-hub.ts');
    hub ??= createAwsHub({ organisation, cluster, from, clock, random, proxy });
    return hub;
  };
}
