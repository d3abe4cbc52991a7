const SLICE_MS = 20;

/** For long loops: lets others run once a slice of time is used up, so that no caller waits long for its turn (NT-173). */
export function createPacer(): () => Promise<void> {
  let since = performance.now();
  let calls = 0;
  return async () => {
    calls += 1;
    // Looking at the clock costs more than most steps do.
    if (calls % 16 !== 0 || performance.now() - since < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}
