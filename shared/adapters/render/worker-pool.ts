import { HawserError } from '../../errors.ts';
import type { Log } from '../../ports/log.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Lends workers, one job each, in the order of asking; workers that end are replaced. */
export interface WorkerPool {
  /** Runs `job` with a worker; `afterDeath` runs when the worker did not survive it. Rejects with `unavailable` when called off or closed. */
  use<T>(job: (worker: WorkerProcess) => Promise<T>, afterDeath: () => Promise<void>, signal?: AbortSignal): Promise<T>;
  close(): Promise<void>;
}

export function createWorkerPool(count: number, start: () => WorkerProcess, log: Log): WorkerPool {
  const all = new Set<WorkerProcess>();
  const idle: WorkerProcess[] = [];
  const waiting = new Set<{ give: (worker: WorkerProcess) => void; leave: () => void }>();
  let isClosed = false;
  for (let index = 0; index < count; index += 1) add();

  function add(): void {
    const worker = start();
    all.add(worker);
    release(worker);
  }

  function release(worker: WorkerProcess): void {
    const [next] = waiting;
    if (next === undefined) idle.push(worker);
    else {
      waiting.delete(next);
      next.give(worker);
    }
  }

  async function take(signal: AbortSignal | undefined): Promise<WorkerProcess> {
    if (isClosed || signal?.aborted === true) throw calledOff();
    const worker = idle.pop();
    if (worker !== undefined) return worker;
    const { promise, resolve, reject } = Promise.withResolvers<WorkerProcess>();
    const turn = { give: resolve, leave: () => reject(calledOff()) };
    waiting.add(turn);
    signal?.addEventListener('abort', turn.leave, { once: true });
    try {
      return await promise;
    } finally {
      waiting.delete(turn);
      signal?.removeEventListener('abort', turn.leave);
    }
  }

  async function replace(worker: WorkerProcess): Promise<void> {
    all.delete(worker);
    await worker.end();
    if (!isClosed) add();
  }

  return {
    async use(job, afterDeath, signal) {
      const worker = await take(signal);
      try {
        return await job(worker);
      } finally {
        if (worker.isAlive()) release(worker);
        else {
          log.warn({}, 'a render worker ended and is replaced');
          await afterDeath();
          await replace(worker);
        }
      }
    },
    async close() {
      isClosed = true;
      for (const turn of waiting) turn.leave();
      await Promise.all([...all].map((worker) => worker.end()));
    },
  };
}

function calledOff(): HawserError {
  return new HawserError('unavailable', 'the render was called off', { retry: 'later' });
}
