/**
 * Fights: somebody else keeps changing back what the agent corrects (INV-28). Pure state per object; the caller keeps it.
 * At most five corrections in any five minutes; then each wait doubles, from 20 s to 5 min; when even the longest wait was
 * not enough, correcting pauses until somebody changes what is desired or asks for a sync.
 */
export interface FightState {
  /** Times of the corrections that still count, ms since 1970, oldest first. */
  corrections: readonly number[];
  /** How often the wait has been doubled; 0 while corrections are free. */
  waits: number;
  paused: boolean;
}

/** Corrections that are free of any wait in one window. */
export const freeCorrections = 5;
export const windowMs = 5 * 60_000;
const firstWaitMs = 20_000;
const longestWaitMs = 5 * 60_000;
/** After this time without a correction the past is forgotten. */
const calmMs = 2 * windowMs;

/** Nothing has happened. Also the state to go back to when what is desired changes or somebody asks for a sync. */
export const atPeace: FightState = { corrections: [], waits: 0, paused: false };

/** The state after a correction at `now`. */
export function afterCorrection(state: FightState, now: number): FightState {
  const before = isCalm(state, now) ? atPeace : state;
  const corrections = [...before.corrections.filter((at) => at > now - windowMs && at <= now), now];
  if (before.waits === 0 && corrections.length < freeCorrections) return { ...before, corrections };
  const wasLongest = before.waits > 0 && waitOf(before.waits) >= longestWaitMs;
  return { corrections, waits: before.waits + 1, paused: before.paused || wasLongest };
}

/** Not before this time may the object be corrected again, ms since 1970; Infinity while paused. */
export function correctAt(state: FightState, now: number): number {
  if (state.paused) return Infinity;
  const last = state.corrections.at(-1);
  if (last === undefined || isCalm(state, now)) return now;
  const inWindow = state.corrections.filter((at) => at > now - windowMs);
  const room = inWindow.length < freeCorrections ? now : (inWindow.at(-freeCorrections) as number) + windowMs;
  return Math.max(now, room, state.waits === 0 ? now : last + waitOf(state.waits));
}

/** True once corrections are being held back: the application shows the condition `Fight`. */
export function isFight(state: FightState, now: number): boolean {
  return state.paused || (state.waits > 0 && !isCalm(state, now));
}

function isCalm(state: FightState, now: number): boolean {
  const last = state.corrections.at(-1);
  return !state.paused && last !== undefined && now - last >= calmMs;
}

function waitOf(waits: number): number {
  return Math.min(longestWaitMs, firstWaitMs * 2 ** (waits - 1));
}
