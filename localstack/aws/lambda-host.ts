import { HawserError } from '#shared/errors.ts';
import { failureText, startInstance, type FunctionSpec, type Instance, type Invocation } from './lambda-instance.ts';

/** Bytes that a synchronous invocation takes and gives (AWS: Lambda quotas). */
export const payloadLimit = 6 * 1024 * 1024;
/** Instances that nobody needed for so long are ended, as Lambda ends them. */
const idleMs = 120_000;

/** Runs functions as Lambda would, on this machine. */
export interface LambdaHost {
  /**
   * Invokes a function synchronously with a JSON text. Throws `not-found` for an unknown one, `too-large` above 6 MB;
   * what the function does wrong is an answer with `functionError`.
   */
  invoke(name: string, payload: string, options?: { tenantId?: string }): Promise<Invocation>;
  arnOf(name: string): string;
  /** Ends every instance, also those at work. */
  stop(): Promise<void>;
}

interface Pool {
  spec: FunctionSpec;
  arn: string;
  idle: { instance: Instance; tenantId: string | undefined; since: number }[];
  busy: Set<Instance>;
  waiting: (() => void)[];
}

/** One event at a time per instance, several instances per function; an instance never serves two tenants. */
export function createLambdaHost(options: {
  functions: readonly FunctionSpec[];
  region: string;
  account: string;
  /** Told of each event, with the milliseconds that it took; waiting for an instance and loading it included. */
  onInvoked?: (name: string, milliseconds: number) => void;
}): LambdaHost {
  const arnOf = (name: string) => `arn:aws:lambda:${options.region}:${options.account}:function:${name}`;
  const pools = new Map<string, Pool>(
    options.functions.map((spec) => [
      spec.name,
      { spec, arn: arnOf(spec.name), idle: [], busy: new Set(), waiting: [] },
    ]),
  );
  let stopped = false;
  const reaper = setInterval(() => {
    for (const pool of pools.values()) retire(pool, ({ since }) => Date.now() - since > idleMs);
  }, 10_000).unref();

  return {
    arnOf,
    async invoke(name, payload, { tenantId } = {}) {
      const pool = pools.get(name);
      if (pool === undefined) throw new HawserError('not-found', `Function not found: ${arnOf(name)}`);
      requireSize(payload);
      const started = performance.now();
      const instance = await take(pool, tenantId);
      if (instance === undefined || stopped) {
        await instance?.stop();
        return { payload: failureText('Runtime.ExitError', 'the host is stopping'), functionError: 'Unhandled' };
      }
      const event = { payload, ...(tenantId === undefined ? {} : { tenantId }) };
      try {
        return limited(await instance.invoke(event));
      } finally {
        options.onInvoked?.(name, performance.now() - started);
        giveBack(pool, instance, tenantId);
      }
    },
    async stop() {
      stopped = true;
      clearInterval(reaper);
      const all = [...pools.values()].flatMap((pool) => [
        ...pool.busy,
        ...pool.idle.splice(0).map(({ instance }) => instance),
      ]);
      for (const pool of pools.values()) for (const wake of pool.waiting.splice(0)) wake();
      await Promise.all(all.map((instance) => instance.stop()));
    },
  };

  /** An instance that is free, a new one, or the next that becomes free. undefined when the host stops. */
  async function take(pool: Pool, tenantId: string | undefined): Promise<Instance | undefined> {
    for (;;) {
      if (stopped) return undefined;
      const at = pool.idle.findLastIndex((one) => one.tenantId === tenantId && one.instance.alive());
      const free = at === -1 ? undefined : pool.idle.splice(at, 1)[0]?.instance;
      if (free === undefined && pool.busy.size + pool.idle.length >= pool.spec.concurrency) {
        // Another tenant's instance makes room; it is never given to this one.
        retire(pool, ({ instance }) => instance === pool.idle[0]?.instance);
      }
      if (free !== undefined || pool.busy.size + pool.idle.length < pool.spec.concurrency) {
        const instance = free ?? startInstance(pool.spec, pool.arn);
        pool.busy.add(instance);
        return instance;
      }
      await new Promise<void>((resolve) => pool.waiting.push(resolve));
    }
  }

  function giveBack(pool: Pool, instance: Instance, tenantId: string | undefined): void {
    pool.busy.delete(instance);
    if (instance.alive() && !stopped) pool.idle.push({ instance, tenantId, since: Date.now() });
    pool.waiting.shift()?.();
  }
}

function retire(pool: Pool, which: (one: Pool['idle'][number]) => boolean): void {
  const leaving = pool.idle.filter(which);
  pool.idle = pool.idle.filter((one) => !leaving.includes(one));
  for (const { instance } of leaving) void instance.stop();
}

function requireSize(payload: string): void {
  const bytes = Buffer.byteLength(payload);
  if (bytes <= payloadLimit) return;
  throw new HawserError(
    'too-large',
    `${bytes} byte payload is too large for the RequestResponse invocation type (limit ${payloadLimit} bytes)`,
  );
}

function limited(invocation: Invocation): Invocation {
  const bytes = Buffer.byteLength(invocation.payload);
  if (bytes <= payloadLimit) return invocation;
  const text = `Response payload size exceeded maximum allowed payload size (${payloadLimit} bytes).`;
  return { payload: failureText('Function.ResponseSizeTooLarge', text), functionError: 'Unhandled' };
}
