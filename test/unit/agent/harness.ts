import { createAgent, type Agent } from '#agent/loop.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { Log } from '#shared/ports/log.ts';
import { createFakeClock, type FakeClock } from '#test/kit/clock.ts';
import { createFakeHub, type FakeHub } from '#test/kit/fake-hub.ts';
import { createModelCluster, type ModelCluster, type ModelOptions } from './model-cluster.ts';

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** The real agent over a cluster in memory, a hub that really signs, and a clock that stands still. */
export interface Harness {
  model: ModelCluster;
  hub: FakeHub;
  clock: FakeClock;
  /** Starts an agent; with `crashAfter` it dies after that many writes took effect. */
  start(options?: { crashAfter?: number }): { agent: Agent; crashed: Promise<void>; kill(): Promise<void> };
  /** Moves time on in steps until the condition holds; throws after `seconds` of clock time. */
  until(condition: () => boolean, what: string, seconds?: number): Promise<void>;
  end(): Promise<void>;
}

/** `on`: a cluster that another service had before, in its agent's words and all. */
export async function createHarness(options: ModelOptions = {}, on?: ModelCluster): Promise<Harness> {
  const hub = await createFakeHub();
  const clock = createFakeClock(Date.now());
  const model = on ?? createModelCluster(options);
  const running = new Set<() => Promise<void>>();

  const harness: Harness = {
    model,
    hub,
    clock,
    start(startOptions = {}) {
      const { cluster, crashed, cut } = model.connect(startOptions);
      const stop = new AbortController();
      const agent = createAgent({
        identity: hub,
        hub,
        cluster,
        clock,
        log: silent,
        namespace: 'hawser-system',
        agentVersion: 'test',
        random: () => 0.5,
      });
      // A crashed agent hangs for ever, as a dead process does; nobody waits for it.
      void agent.run(stop.signal).catch(() => undefined);
      void crashed.then(() => stop.abort());
      const kill = async () => {
        cut();
        stop.abort();
        await new Promise((resolve) => setImmediate(resolve));
      };
      running.add(kill);
      return { agent, crashed, kill };
    },
    async until(condition, what, seconds = 60) {
      for (let at = 0; at < seconds * 4; at += 1) {
        if (condition()) return;
        await clock.advance(250);
      }
      if (!condition()) throw new Error(`not within ${seconds} s: ${what}`);
    },
    async end() {
      for (const kill of running) await kill();
      await hub.close();
    },
  };
  return harness;
}

export function configMap(name: string, value = '1', annotations: Record<string, string> = {}): KubeObject {
  const marks = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', ...marks }, data: { value } };
}

/** What users see in the cluster: everything but the agent's own Secrets, by name. */
export function valuesIn(model: ModelCluster): Record<string, string> {
  const values: Record<string, string> = {};
  for (const object of model.objects.values()) {
    if (object.kind === 'ConfigMap')
      values[object.metadata.name] = (object['data'] as Record<string, string>)['value'] ?? '';
  }
  return values;
}
