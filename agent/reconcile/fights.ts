import { afterCorrection, atPeace, correctAt as fightAllows, isFight } from '#shared/domain/fight.ts';
import type { AppRuntime, CorrectionState } from './runtime.ts';

const longestPauseMs = 5 * 60_000;
const firstBackoffMs = 2000;

/** Notes a correction that went through (INV-28). */
export function noteCorrection(app: AppRuntime, key: string, now: number): void {
  app.corrections.set(key, { fight: afterCorrection(stateOf(app, key).fight, now), failures: 0, notBefore: now });
}

/** Notes one that was refused: 2 s, 6 s, 18 s… up to 5 min (Argo CD's self-heal back-off). */
export function noteFailedCorrection(app: AppRuntime, key: string, now: number): void {
  const state = stateOf(app, key);
  const pause = Math.min(longestPauseMs, firstBackoffMs * 3 ** state.failures);
  app.corrections.set(key, { ...state, failures: state.failures + 1, notBefore: now + pause });
}

/** When this object may be corrected next; Infinity while it is paused. */
export function correctAt(app: AppRuntime, key: string, now: number): number {
  const state = app.corrections.get(key);
  if (state === undefined) return 0;
  const allowed = fightAllows(state.fight, now);
  return Math.max(allowed <= now ? 0 : allowed, state.notBefore);
}

/** Keys that somebody keeps changing back. */
export function fightsOf(app: AppRuntime, now: number): string[] {
  return [...app.corrections].filter(([, state]) => isFight(state.fight, now)).map(([key]) => key);
}

function stateOf(app: AppRuntime, key: string): CorrectionState {
  return app.corrections.get(key) ?? { fight: atPeace, failures: 0, notBefore: 0 };
}
