import { describe, expect, it } from 'vitest';
import { createWorkerPool } from '#shared/adapters/render/worker-pool.ts';
import type { WorkerProcess } from '#shared/adapters/render/worker-process.ts';
import type { Log } from '#shared/ports/log.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

function countedWorkers(): { start: () => WorkerProcess & { kill: () => void }; started: () => number } {
  let started = 0;
  const start = (): WorkerProcess & { kill: () => void } => {
    started += 1;
    let alive = true;
    const kill = (): void => void (alive = false);
    return {
      pid: started,
      run: () => Promise.reject(new Error('not asked')),
      isAlive: () => alive,
      end: () => Promise.resolve(kill()),
      kill,
    };
  };
  return { start, started: () => started };
}

describe('the worker pool', () => {
  it('lends each worker to one job at a time, in the order of asking', async () => {
    const pool = createWorkerPool(2, countedWorkers().start, silent);
    const order: number[] = [];
    let busy = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        pool.use(
          async () => {
            busy += 1;
            most = Math.max(most, busy);
            order.push(number);
            await new Promise((resolve) => setImmediate(resolve));
            busy -= 1;
          },
          () => Promise.resolve(),
        ),
      ),
    );
    expect(most).toBe(2);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('FT-30: replaces a worker that did not survive its job', async () => {
    const workers = countedWorkers();
    const pool = createWorkerPool(1, workers.start, silent);
    let cleaned = 0;
    const dying = pool.use(
      async (worker) => {
        await worker.end();
        throw new Error('died');
      },
      () => Promise.resolve(void (cleaned += 1)),
    );
    const next = pool.use(
      (worker) => Promise.resolve(worker.isAlive()),
      () => Promise.resolve(),
    );
    await expect(dying).rejects.toThrow('died');
    expect(await next).toBe(true);
    expect([workers.started(), cleaned]).toEqual([2, 1]);
  });

  it('lets those who wait leave, and turns all away once it is closed', async () => {
    const pool = createWorkerPool(1, countedWorkers().start, silent);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = pool.use(
      () => promise,
      () => Promise.resolve(),
    );
    const controller = new AbortController();
    const leaving = pool.use(
      () => Promise.resolve(),
      () => Promise.resolve(),
      controller.signal,
    );
    const waiting = pool.use(
      () => Promise.resolve(),
      () => Promise.resolve(),
    );
    controller.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'unavailable' });
    await pool.close();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    resolve();
    await first;
    await expect(
      pool.use(
        () => Promise.resolve(),
        () => Promise.resolve(),
      ),
    ).rejects.toMatchObject({ code: 'unavailable' });
  });
});
