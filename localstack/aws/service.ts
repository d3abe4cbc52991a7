import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { HawserError, messageOf } from '#shared/errors.ts';
import { lockDataFolder } from '#shared/adapters/embedded/data-folder.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createKmsCipher } from '#shared/adapters/aws/kms-cipher.ts';
import { createKmsSigner } from '#shared/adapters/aws/kms-signer.ts';
import { createSecretStore } from '#shared/adapters/aws/secrets-manager-secret-store.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { isWebhookSecretName, webhookSecretName } from '#shared/state/registry.ts';
import { createSealedSecretStore, splitSecretStore } from '#shared/state/sealed-secrets.ts';
import { ensureFunctions } from '../builds.ts';
import type { Progress } from '../cluster/sandbox.ts';
import { describeProgress } from '../clusters.ts';
import { attachEmulators } from '../emulators/attach.ts';
import { startEmulators, type RunningEmulators } from '../emulators/emulators.ts';
import type { RunningService, ServiceStart, StartService } from '../running-service.ts';
import { admitAgent } from './agent-access.ts';
import { clearResources } from './clear-resources.ts';
import { account, functionSpecs, localNames, region, routesOf } from './deployment.ts';
import { answerHttp, bodyLimit } from './http-front.ts';
import { gatewayAnswer, type HttpAnswer } from './http-event.ts';
import { serveHttp } from './http-server.ts';
import { answerInvoke } from './invoke-api.ts';
import { createLambdaHost, payloadLimit, type LambdaHost } from './lambda-host.ts';
import { beginLasting, ticketsBefore, type Lasting } from './lasting.ts';
import { functionLogs, scratchOf, tellPlaces, type Places } from './run-folder.ts';
import { closeClients, makeResources, openClients, type Clients, type Resources } from './resources.ts';
import { layOutTools } from './tools.ts';
import { startTriggers } from './triggers.ts';

type Closer = () => Promise<void> | void;

/** Repository of the demo; its id is made of the last part of its URL. */
const demoRepository = 'demo';

/** Who calls the emulators: the functions; agents, and with them the function that tells them where; Lambda's mappings of queues. */
export type EmulatorUser = 'functions' | 'agents' | 'mappings';

type EmulatorEndpoints = Places['endpoints'];

/** An address that is not given is the emulator's own. */
type WatchedEndpoints = EmulatorEndpoints & { sts?: string; lambda?: string };

/** For who wants to watch a deployment at work. */
export interface AwsWatch {
  /** Puts something between a user and the emulators; the user is told the addresses that come back. */
  between?(
    user: EmulatorUser,
    emulators: EmulatorEndpoints & { lambda: string },
  ): Promise<{ endpoints: WatchedEndpoints; stop(): Promise<void> }>;
  /** Gives what invokes functions, as whoever deployed may. */
  onHost?(host: Pick<LambdaHost, 'invoke'>): void;
  /** Told of each event that a function was given; names as deployed. */
  onInvoked?(name: string, milliseconds: number): void;
}

/**
 * The service of `npm run start:aws`: the functions' bundles as Lambda would run them, on DynamoDB Local and LocalStack.
 * The emulators keep nothing, so sandbox clusters of an earlier start are removed: they would show what nobody declares any more.
 * A cluster of the user's own stays as it is; `lasting.ts` lets its agent go on.
 */
export const startAwsService: StartService = watchedAwsService({});

/** The same, watched. */
export function watchedAwsService(watch: AwsWatch): StartService {
  return async (start) => {
    const closers: Closer[] = [];
    const stop = () => closeAll(closers, start);
    try {
      const lock = lockDataFolder(start.dataDir);
      closers.push(() => lock.release());
      rmSync(join(start.dataDir, 'clusters'), { recursive: true, force: true, maxRetries: 3 });
      return { ...(await assemble(start, watch, closers)), stop };
    } catch (error) {
      await stop();
      throw error;
    }
  };
}

async function assemble(
  start: ServiceStart,
  watch: AwsWatch,
  closers: Closer[],
): Promise<Omit<RunningService, 'stop'>> {
  const { terminal, organisation, log } = start;
  let host: LambdaHost | undefined;
  // Ports first: a taken one is said at once.
  const { front, invokeApi } = await openPorts(start, () => host, closers);

  terminal.step('Build functions');
  const bundles = await ensureFunctions();
  terminal.done();
  const emulators = await openEmulators(start, closers);
  const lasting = beginLasting(start.dataDir);
  const clients = openClients(emulators.endpoints);
  closers.push(() => closeClients(clients));
  if (start.emulators !== undefined) await clearResources(clients, organisation);
  const resources = await makeResources(clients, emulators.endpoints, organisation, lasting.rootKey);
  closers.push(
    tellPlaces(start.dataDir, {
      region,
      endpoints: emulators.endpoints,
      table: resources.table,
      queueBase: resources.queueBase,
    }),
  );
  terminal.done();

  terminal.step('Service');
  const url = `http://127.0.0.1:${front.port}`;
  const others = { sts: emulators.endpoints.localstack, lambda: `http://127.0.0.1:${invokeApi.port}` };
  const ways = await openWays(watch, { ...emulators.endpoints, lambda: others.lambda }, closers);
  const scratch = scratchOf(start, closers);
  const functions = functionSpecs({
    organisation,
    values: valuesOf(organisation, resources, { url, queues: ways.functions.localstack }),
    // What the token function finds in its environment is what it tells agents.
    endpointsOf: (name) => ({ ...others, ...(name === 'token' ? ways.agents : ways.functions) }),
    bundles,
    scratch,
    tools: await layOutTools(join(scratch, 'layers'), start),
    logLevel: start.verbose ? 'debug' : 'info',
    log: functionLogs(start, closers),
  });
  host = createLambdaHost({ functions, region, account, ...watch });
  closers.push(() => host?.stop());
  watch.onHost?.(host);
  const mappings = openClients(ways.mappings);
  closers.push(() => closeClients(mappings));
  const triggers = startTriggers({ host, client: mappings.polling, log, organisation, queues: resources.queues });
  closers.push(() => triggers.stop());
  terminal.done(url);
  return describeService(start, { host, clients, resources, lasting, url, closers });
}

/** Emulators of this start's own, with nothing in them, or those that run already. */
async function openEmulators(start: ServiceStart, closers: Closer[]): Promise<RunningEmulators> {
  const { terminal, signal } = start;
  terminal.step('Emulators of AWS');
  const progress = (at: Progress) => terminal.detail(describeProgress(at));
  const emulators =
    start.emulators === undefined
      ? await startEmulators({ progress, signal })
      : await attachEmulators(start.emulators, join(start.cacheDir, 'emulators', 'in-use'), { signal });
  closers.push(() => emulators.stop());
  return emulators;
}

/** Where people and agents come in, and Lambda's own Invoke API; both say that they are not ready until there is a host. */
async function openPorts(
  { port, organisation, log }: ServiceStart,
  hostNow: () => LambdaHost | undefined,
  closers: Closer[],
): Promise<Record<'front' | 'invokeApi', { port: number }>> {
  const routes = routesOf(organisation);
  const sandbox = localNames(organisation).function('render-sandbox');
  const whenThere = (answer: (host: LambdaHost) => Promise<HttpAnswer>): HttpAnswer | Promise<HttpAnswer> => {
    const host = hostNow();
    return host === undefined ? gatewayAnswer(503, 'Service Unavailable') : answer(host);
  };
  const front = await serveHttp({
    port,
    bodyLimit,
    answer: async (request, body) => whenThere((host) => answerHttp({ host, routes, account, log }, request, body)),
  });
  closers.push(() => front.stop());
  const invokeApi = await serveHttp({
    port: 0,
    bodyLimit: payloadLimit,
    answer: async (request, body) => whenThere((host) => answerInvoke(host, [sandbox], request, body)),
  });
  closers.push(() => invokeApi.stop());
  return { front, invokeApi };
}

interface Started {
  host: LambdaHost;
  clients: Clients;
  resources: Resources;
  lasting: Lasting;
  url: string;
  closers: Closer[];
}

/** The addresses of the emulators for each of their users. */
async function openWays(
  watch: AwsWatch,
  emulators: EmulatorEndpoints & { lambda: string },
  closers: Closer[],
): Promise<Record<EmulatorUser, WatchedEndpoints>> {
  const open = async (user: EmulatorUser): Promise<WatchedEndpoints> => {
    const way = await watch.between?.(user, emulators);
    if (way !== undefined) closers.push(() => way.stop());
    return way?.endpoints ?? emulators;
  };
  return { functions: await open('functions'), agents: await open('agents'), mappings: await open('mappings') };
}

/** Values of the variables that infra gives to functions. */
function valuesOf(
  organisation: string,
  resources: Resources,
  { url, queues }: { url: string; queues: string },
): Record<string, string> {
  const names = localNames(organisation);
  // The SDK goes to the address in a queue's URL.
  const queueBase = new URL(new URL(resources.queueBase).pathname, queues).href;
  return {
    HAWSER_TABLE: resources.table,
    HAWSER_QUEUE_BASE: queueBase,
    HAWSER_CIPHER_KEY: names.cipherAlias,
    HAWSER_ROOT_KEY_PREFIX: names.rootAliasPrefix,
    HAWSER_SECRET_PREFIX: names.secretPrefix,
    HAWSER_RENDER_FUNCTION: names.function('render-sandbox'),
    HAWSER_AGENT_ROLE: resources.agentRole.arn,
    HAWSER_AGENT_ROLE_ID: resources.agentRole.id,
    HAWSER_URL: url,
  };
}

function describeService(
  start: ServiceStart,
  { host, clients, resources, lasting, url, closers }: Started,
): Omit<RunningService, 'stop'> {
  const { organisation, webhookSecret, dataDir } = start;
  const clock = createSystemClock();
  const names = localNames(organisation);
  const store = createStateStore({ client: clients.dynamodb, table: resources.table, clock });
  const cipher = createKmsCipher({ client: clients.kms, clock, keyId: names.cipherAlias });
  const credentials = createSecretStore({ client: clients.secrets, clock, prefix: names.secretPrefix });
  const secrets = splitSecretStore(isWebhookSecretName, createSealedSecretStore({ store, cipher }), credentials);
  const keyIdOf = (of: string) => `${names.rootAliasPrefix}${of}`;
  const signer = createKmsSigner({ client: clients.kms, clock, keyIdOf });
  let adminToken = '';
  return {
    url,
    store,
    secrets,
    lasting: false,
    signIn: `sign in with the token in ${join(dataDir, 'run.json')}`,
    rootPublicKey: (of) => signer.rootPublicKey(of),
    async prepare() {
      const taken = ticketsBefore(lasting);
      if (taken > 0) await store.increment(organisationKey(organisation), sortKeys.ticket, taken);
      // Registered later, it finds this secret and keeps it; every other repository gets one of its own.
      await secrets.put(webhookSecretName(organisation, demoRepository), webhookSecret);
      const { payload, functionError } = await host.invoke(names.function('prepare'), '{}');
      const { token } = JSON.parse(payload) as { token?: string };
      if (functionError !== undefined || token === undefined)
        throw new HawserError('internal', `the organisation could not be prepared: ${payload.slice(0, 1000)}`);
      adminToken = token;
      return token;
    },
    register: async (cluster) => admitAgent(start, { url, token: adminToken }, cluster, closers),
  };
}

/** In reverse order; one that fails does not keep the others from closing. */
async function closeAll(closers: Closer[], { log }: ServiceStart): Promise<void> {
  for (const close of closers.splice(0).toReversed()) {
    try {
      await close();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'a part did not close cleanly');
    }
  }
}
