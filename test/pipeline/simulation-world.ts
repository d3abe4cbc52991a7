import type { JsonObject } from '#shared/domain/json.ts';
import { HawserError, messageOf } from '#shared/errors.ts';
import * as flow from '#shared/flow.ts';
import type { Hint } from '#shared/messages/hint.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { declareObjects } from '#shared/state/declare.ts';
import { readChanges, rootOf, takeTicket, type Head } from '#shared/state/heads.ts';
import { applicationKey, clusterKey } from '#shared/state/keys.ts';
import { getApplication } from '#shared/state/registry.ts';
import { cluster, openServiceParts, organisation, stagesOf, type ServiceParts } from '#test/kit/service-parts.ts';

/** What people, Git hosts and queues do to the service; `pause` is how much of the work goes on before the next. */
export type Act = { pause: number } & (
  | { act: 'push'; change: Change }
  /** The branch goes back to an earlier commit: a force push. */
  | { act: 'reset'; back: number }
  /** A new commit with the files of an earlier one: a revert. */
  | { act: 'revert'; back: number }
  | { act: 'declare'; application: string; namespace: string }
  | { act: 'sync'; application: string }
  | { act: 'rollback'; application: string; back: number }
  | { act: 'poll' }
  | { act: 'wait'; seconds: number }
);

/** A push: other values, another set of resources, or files that are broken or missing. */
export type Change =
  | { kind: 'value'; where: string; value: string }
  | { kind: 'resources'; application: string; withBase: boolean }
  | { kind: 'broken'; application: string };

export interface Faults {
  /** Handlers die at a call to anything outside, before or after it took effect; out of 100 deliveries. */
  crashes: number;
  /** Messages that are delivered once more; out of 100. */
  duplicates: number;
  /** Handlers that run at the same time. With one, each act's consequences come before the next, and second deliveries after them. */
  concurrency: number;
}

/** An application by its id: Argo CD's, or a Flux Kustomization if it says what it depends on (ids, which begin with `flux-`). */
export interface Declared {
  id: string;
  dependsOn?: readonly string[];
}

export interface World {
  parts: ServiceParts;
  run(acts: readonly Act[]): Promise<void>;
  /** Breaches of invariants that were seen on the way. */
  breaches: string[];
  /** Inputs of which a render was asked for, by digest. */
  inputs: Set<string>;
  /** Render jobs that came twice. */
  repeatedRenders: number;
  files(): Record<string, string>;
  /** What the agent knows: generation by application. */
  agent: Map<string, number>;
  close(): Promise<void>;
}

class Crash extends Error {}

interface Message {
  queue: string;
  body: string;
  notBefore: number;
}

/** One handler, or one person's request, on its way. */
interface Invocation {
  dead: boolean;
  /** Dies at this many calls from now; Infinity: never. */
  left: number;
  /** The call at which it dies still takes effect. */
  late: boolean;
}

const repository = 'demo';
const mostSteps = 60_000;

/**
 * Runs the real plan, render and publish handlers on the real embedded store, with every call to anything outside held
 * until the seeded dice release it: all interleavings that the clouds could give are possible, and each can be had again.
 */
export async function createWorld(seed: number, applications: readonly Declared[], faults: Faults): Promise<World> {
  const parts = await openServiceParts();
  const dice = createDice(seed);
  const messages: Message[] = [];
  const held: (() => Promise<void>)[] = [];
  const commits: { commit: string; files: Record<string, string> }[] = [];
  const world: World = {
    parts,
    run,
    breaches: [],
    inputs: new Set(),
    repeatedRenders: 0,
    files: () => parts.git.tip(repository)?.files ?? {},
    agent: new Map(),
    close: parts.close,
  };
  const watch = watchHeads(world);
  let running = 0;
  let agentVersion = 0;
  let unique = 0;
  return world;

  async function run(acts: readonly Act[]): Promise<void> {
    push(initialFiles(applications.map(({ id }) => id)));
    if (applications.some((one) => one.dependsOn !== undefined)) send('apply', JSON.stringify(fluxRepository));
    for (const { id } of applications) declare(id, 'default');
    for (const act of [{ act: 'wait', seconds: 0, pause: 0 } satisfies Act, ...acts]) {
      await perform(act);
      const pause = faults.concurrency === 1 ? mostSteps : act.pause;
      for (let step = 0; step < pause; step += 1) if (!(await advance())) break;
    }
    // Whatever was lost: polling alone must converge (INV-02).
    send('hints', hintOf('poll'));
    for (let step = 0; await advance(true); step += 1) {
      if (step > mostSteps) throw new Error('the service does not come to rest');
    }
    await poll();
    parts.clock.setNow(parts.clock.now() + 10_000);
    await poll();
  }

  async function perform(act: Act): Promise<void> {
    if (act.act === 'push') push(changed(world.files(), act.change));
    if (act.act === 'reset') {
      const earlier = commits.at(-1 - (act.back % commits.length));
      if (earlier) parts.git.reset(repository, earlier.commit);
    }
    if (act.act === 'revert') push(commits.at(-1 - (act.back % commits.length))?.files ?? {});
    if (act.act === 'declare') declare(act.application, act.namespace);
    if (act.act === 'sync') await request(act.application, { sync: { id: `s${unique++}`, by: 'ada', at: isoNow() } });
    if (act.act === 'rollback') await rollback(act.application, act.back);
    if (act.act === 'wait') parts.clock.setNow(parts.clock.now() + act.seconds * 1000);
    if (act.act === 'push' || act.act === 'reset' || act.act === 'revert') send('hints', hintOf('push'));
    if (act.act === 'poll') send('hints', hintOf('poll'));
  }

  function push(files: Record<string, string>): void {
    commits.push({ commit: parts.git.push(repository, files), files });
  }

  /** People's requests are handled like messages: cut off, they are made again. */
  function declare(application: string, namespace: string): void {
    const dependsOn = applications.find(({ id }) => id === application)?.dependsOn;
    const declared = dependsOn === undefined ? argo(application, namespace) : flux(application, namespace, dependsOn);
    send('apply', JSON.stringify(declared));
  }

  async function rollback(application: string, back: number): Promise<void> {
    const { rows } = await parts.store.query(applicationKey(organisation, application), { prefix: 'HISTORY#' });
    const row = rows.at(-1 - (back % Math.max(1, rows.length)));
    if (row !== undefined) await request(application, { of: Number(row.sort.slice('HISTORY#'.length)) });
  }

  async function request(application: string, what: object): Promise<void> {
    const generation = await takeTicket(parts.store, organisation);
    const job = {
      organisation,
      application,
      generation,
      inputDigest: '',
      intent: { revision: '', dependsOn: [], initiatedBy: 'ada', renderDigest: '' },
      result: { status: 'repeat', ...what } as PublishJob['result'],
      trace: `request-${generation}`,
      at: isoNow(),
    } satisfies PublishJob;
    send('publish-jobs', JSON.stringify(job));
  }

  function hintOf(reason: Hint['reason']): string {
    const hint: Hint = { organisation, repository, reason, trace: `${reason}-${unique++}`, at: isoNow() };
    return JSON.stringify(hint);
  }

  function send(queue: string, body: string, delaySeconds = 0): void {
    if (queue === 'render-jobs') world.inputs.add((JSON.parse(body) as { inputDigest: string }).inputDigest);
    messages.push({ queue, body, notBefore: parts.clock.now() + delaySeconds * 1000 });
  }

  function isoNow(): string {
    return new Date(parts.clock.now()).toISOString();
  }

  /** One thing happens: a held call goes on, or a message is delivered. False when nothing can (any more). */
  async function advance(toRest = false): Promise<boolean> {
    const due = messages.filter((message) => message.notBefore <= parts.clock.now());
    const free = running < faults.concurrency ? due.length : 0;
    const choices = held.length + free;
    if (choices === 0) {
      const next = Math.min(...messages.map((message) => message.notBefore));
      if (!toRest || next === Infinity) return false;
      parts.clock.setNow(next);
      return true;
    }
    // Now and then the agent looks.
    if (dice(25) === 0) await poll();
    const choice = dice(choices);
    if (choice < held.length) {
      const [call] = held.splice(choice, 1);
      await call?.();
    } else {
      deliver(due[choice - held.length] as Message);
    }
    await turn();
    return true;
  }

  function deliver(message: Message): void {
    messages.splice(messages.indexOf(message), 1);
    if (dice(100) < faults.duplicates) {
      if (message.queue === 'render-jobs') world.repeatedRenders += 1;
      const earliest = faults.concurrency === 1 ? 1 : 0;
      messages.push({ ...message, notBefore: parts.clock.now() + (earliest + dice(60)) * 1000 });
    }
    const crashes = dice(100) < faults.crashes;
    const invocation: Invocation = { dead: false, left: crashes ? dice(60) : Infinity, late: dice(2) === 0 };
    running += 1;
    handle(message, invocation)
      .catch((error: unknown) => {
        // Nothing here may end with the dead letters.
        if (!invocation.dead && isFinal(error)) world.breaches.push(`${message.queue}: ${messageOf(error)}`);
        messages.push({ ...message, notBefore: parts.clock.now() + 1000 });
      })
      .finally(() => {
        running -= 1;
      });
  }

  async function handle({ queue, body }: Message, invocation: Invocation): Promise<void> {
    const own = partsOf(invocation);
    const message: unknown = JSON.parse(body);
    if (queue === 'apply') {
      const objects = [message as JsonObject];
      const trace = `apply-${unique++}`;
      await declareObjects(own, {
        organisation,
        objects,
        homeCluster: cluster,
        defaultCluster: cluster,
        by: 'ada',
        trace,
      });
      return;
    }
    const stages = stagesOf(own);
    if (queue === 'hints') await stages.plan(flow.hints.message.parse(message));
    else if (queue === 'render-jobs')
      await stages.render(flow.renderJobs.message.parse(message), { signal: new AbortController().signal });
    else await stages.publish(flow.publishJobs.message.parse(message));
  }

  /** The parts as one invocation sees them: each call waits until it is released, and may be its last. */
  function partsOf(invocation: Invocation): ServiceParts {
    const gate = <T extends object>(part: T, observe?: (name: string, args: unknown[], result: unknown) => void): T =>
      new Proxy(part, {
        get(target, name: string) {
          const member = target[name as keyof T];
          if (typeof member !== 'function') return member;
          return (...args: unknown[]) => {
            const call = async () => {
              const result: unknown = await (member as (...all: unknown[]) => unknown).apply(target, args);
              observe?.(name, args, result);
              return result;
            };
            return hold(invocation, call);
          };
        },
      });
    const queue = (name: string) =>
      gate<Pick<Queue, 'send' | 'name'>>({
        name,
        send: async (bodies, options) => {
          for (const body of bodies) send(name, body, options?.delaySeconds);
        },
      }) as Queue;
    return {
      ...parts,
      store: gate<StateStore>(parts.store, watch),
      secrets: gate(parts.secrets),
      inputs: gate(parts.inputs),
      snapshots: gate(parts.snapshots),
      signer: gate(parts.signer),
      git: gate(parts.git),
      renderer: gate(parts.renderer),
      hints: queue('hints'),
      renderJobs: queue('render-jobs'),
      publishJobs: queue('publish-jobs'),
    };
  }

  function hold(invocation: Invocation, call: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      held.push(async () => {
        if (invocation.dead) return reject(new Crash('dead'));
        invocation.left -= 1;
        invocation.dead = invocation.left < 0;
        if (invocation.dead && !invocation.late) return reject(new Crash('cut off before a call'));
        try {
          const result = await call();
          if (invocation.dead) reject(new Crash('cut off after a call'));
          else resolve(result);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  /** What an agent does: take in what changed, and find it complete (INV-10) and newer than what it had (INV-13). */
  async function poll(): Promise<void> {
    const changes = await readChanges(parts, organisation, cluster, agentVersion);
    if (changes.version < agentVersion) world.breaches.push('INV-13: the version of the cluster went back');
    agentVersion = changes.version;
    for (const head of changes.heads) {
      const before = world.agent.get(head.application) ?? 0;
      if (head.generation < before) world.breaches.push(`INV-13: ${head.application} went back from ${before}`);
      world.agent.set(head.application, head.generation);
      if ((await contentOf(parts, head)) === undefined)
        world.breaches.push(`INV-10: a root of ${head.application} names a chunk that is not there`);
    }
  }
}

/** Watches every write of a head: the fence and the generation rise (INV-06), equal inputs are equal content (INV-08). */
function watchHeads(world: World) {
  const fences = new Map<string, number>();
  const generations = new Map<string, number>();
  const contents = new Map<string, string>();
  return (name: string, args: unknown[], result: unknown): void => {
    const row = args[0] as { partition: string; sort: string; revision: number; value: Head };
    if (name !== 'put' || result !== true || !row.sort.startsWith('APP#') || !row.partition.includes('#C#')) return;
    const { application, generation, inputDigest } = row.value;
    if (row.revision <= (fences.get(application) ?? 0)) world.breaches.push(`INV-06: the fence of ${application} fell`);
    if (generation < (generations.get(application) ?? 0))
      world.breaches.push(`INV-06: ${application} went back to generation ${generation}`);
    fences.set(application, row.revision);
    generations.set(application, generation);
    const chunks = rootOf(row.value).chunks.join();
    if ((contents.get(inputDigest) ?? chunks) !== chunks)
      world.breaches.push(`INV-08: input digest ${inputDigest} gave two contents`);
    contents.set(inputDigest, chunks);
  };
}

/** Name and value of each object that a head holds, as text; undefined where a chunk is missing. */
export async function contentOf(parts: ServiceParts, head: Head): Promise<string[] | undefined> {
  const lines: string[] = [];
  for (const digest of rootOf(head).chunks) {
    const text = await parts.snapshots.read(organisation, cluster, digest);
    if (text === undefined) return undefined;
    lines.push(...Buffer.from(text).toString().split('\n'));
  }
  return lines
    .map((line) => JSON.parse(line) as { metadata: { name: string; namespace: string }; data: { value: string } })
    .map(({ metadata, data }) => `${metadata.namespace}/${metadata.name}=${data.value}`)
    .sort();
}

/** What an application should be by what is declared and lies in Git now; `broken` where that cannot be rendered. */
export async function expectedContent(world: World, application: string): Promise<string[] | 'broken'> {
  const spec = await getApplication(world.parts.store, organisation, application);
  const files = world.files();
  const read = (folder: string): string[] => {
    const kustomization = files[`${folder}/kustomization.yaml`];
    if (kustomization === undefined) return ['broken'];
    return (JSON.parse(kustomization) as { resources: string[] }).resources.flatMap((resource) =>
      resource.endsWith('.yaml') ? [files[`${folder}/${resource}`] ?? 'broken'] : read('base'),
    );
  };
  const texts = read(spec?.sources[0]?.path ?? '');
  if (texts.some((text) => text.includes('broken'))) return 'broken';
  return texts
    .map((text) => JSON.parse(text) as { metadata: { name: string }; data: { value: string } })
    .map(({ metadata, data }) => `${spec?.destinationNamespace}/${metadata.name}=${data.value}`)
    .sort();
}

/** The head of an application; undefined where nothing was published. */
export async function headOf(world: World, application: string): Promise<Head | undefined> {
  const row = await world.parts.store.get<Head>(clusterKey(organisation, cluster), `APP#${application}`);
  return row?.value;
}

/** An error that no later try cures: the queue would bury the message. */
function isFinal(error: unknown): boolean {
  return !(error instanceof HawserError) || error.retry === 'never';
}

function initialFiles(applications: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {
    'base/kustomization.yaml': JSON.stringify({ resources: ['base.yaml'] }),
    'base/base.yaml': object('base', '0'),
  };
  for (const application of applications) {
    files[`apps/${application}/kustomization.yaml`] = kustomizationOf(false);
    files[`apps/${application}/own.yaml`] = object('own', '0');
  }
  return files;
}

function changed(files: Record<string, string>, change: Change): Record<string, string> {
  if (change.kind === 'resources')
    return { ...files, [`apps/${change.application}/kustomization.yaml`]: kustomizationOf(change.withBase) };
  if (change.kind === 'broken') return { ...files, [`apps/${change.application}/own.yaml`]: '{"broken":true}' };
  const path = change.where === 'base' ? 'base/base.yaml' : `apps/${change.where}/own.yaml`;
  return { ...files, [path]: object(change.where === 'base' ? 'base' : 'own', change.value) };
}

function kustomizationOf(withBase: boolean): string {
  return JSON.stringify({ resources: ['own.yaml', ...(withBase ? ['../../base'] : [])] });
}

function object(name: string, value: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } });
}

const fluxRepository: JsonObject = {
  apiVersion: 'source.toolkit.fluxcd.io/v1',
  kind: 'GitRepository',
  metadata: { name: repository, namespace: 'flux' },
  spec: { url: `https://git.test/${repository}.git`, interval: '1m' },
};

function flux(application: string, targetNamespace: string, dependsOn: readonly string[]): JsonObject {
  const nameOf = (id: string) => id.replace('flux-', '');
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
    kind: 'Kustomization',
    metadata: { name: nameOf(application), namespace: 'flux' },
    spec: {
      path: `apps/${application}`,
      sourceRef: { kind: 'GitRepository', name: repository },
      targetNamespace,
      dependsOn: dependsOn.map((id) => ({ name: nameOf(id) })),
      interval: '1m',
      prune: true,
    },
  };
}

function argo(application: string, namespace: string): JsonObject {
  return {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Application',
    metadata: { name: application, namespace: 'argocd' },
    spec: {
      project: 'default',
      source: { repoURL: `https://git.test/${repository}.git`, path: `apps/${application}` },
      destination: { server: 'https://kubernetes.default.svc', namespace },
      syncPolicy: { automated: { prune: true } },
    },
  };
}

/** Numbers from 0 to below `sides`, the same for the same seed. */
function createDice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
