import type { Clock } from '#shared/ports/clock.ts';

/** A fixed pool of workers over many applications: each runs at most once at a time, and again if woken meanwhile. */
export interface Scheduler {
  wake(id: string): void;
  forget(id: string): void;
  /** Ends timers and waits for what runs. */
  stop(): Promise<void>;
  readonly running: number;
  readonly waiting: number;
}

export interface SchedulerDeps {
  clock: Clock;
  workers: number;
  /** One turn; must not throw. The time (ms since 1970) is when to take the next turn at the latest. */
  turn(id: string): Promise<{ until?: number }>;
}

/** Creates the scheduler. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const queue = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const timers = new Map<string, AbortController>();
  let stopped = false;
  let turns = 0;

  function wake(id: string): void {
    if (stopped) return;
    cancel(id);
    if (running.has(id)) again.add(id);
    else queue.add(id);
    pump();
  }

  function pump(): void {
    for (const id of queue) {
      if (running.size >= deps.workers || stopped) return;
      queue.delete(id);
      running.set(id, run(id));
    }
  }

  async function run(id: string): Promise<void> {
    // The turn starts on a tick of its own, so that `running` knows of it first. Applications that wake each other
    // again and again must not keep the process from its sockets and timers.
    turns += 1;
    await (turns % 64 === 0 ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve());
    const { until } = await deps.turn(id);
    running.delete(id);
    if (again.delete(id)) queue.add(id);
    else if (until !== undefined && !stopped) wakeAt(id, until);
    pump();
  }

  function wakeAt(id: string, until: number): void {
    const timer = new AbortController();
    timers.set(id, timer);
    const delay = Math.ceil(Math.max(0, until - deps.clock.now()));
    void deps.clock.sleep(delay, timer.signal).then(() => (timer.signal.aborted ? undefined : wake(id)));
  }

  function cancel(id: string): void {
    timers.get(id)?.abort();
    timers.delete(id);
  }

  return {
    wake,
    forget(id) {
      cancel(id);
      queue.delete(id);
      again.delete(id);
    },
    async stop() {
      stopped = true;
      for (const timer of timers.values()) timer.abort();
      queue.clear();
      await Promise.all(running.values());
    },
    get running() {
      return running.size;
    },
    get waiting() {
      return queue.size;
    },
  };
}
