/** Runs tasks one after the other; a failure does not stop those behind it. */
export function createSequence(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => undefined);
    return run;
  };
}

/**
 * Shares a task by key among callers, but only with those who came before it began: what it reads is never older than
 * the question. One runs and at most one waits for each key.
 */
export function createNextRun<T>(): (key: string, task: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<unknown>>();
  const waiting = new Map<string, Promise<T>>();

  function start(key: string, task: () => Promise<T>): Promise<T> {
    const run = task();
    const ended = settled(run);
    running.set(key, ended);
    void ended.finally(() => {
      if (running.get(key) === ended) running.delete(key);
    });
    return run;
  }
  return (key, task) => {
    const current = running.get(key);
    if (current === undefined) return start(key, task);
    const next =
      waiting.get(key) ??
      current.then(() => {
        waiting.delete(key);
        return start(key, task);
      });
    waiting.set(key, next);
    return next;
  };
}

/** Resolves when the promise has, whichever way. */
async function settled(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Whoever asked for it hears of it.
  }
}
