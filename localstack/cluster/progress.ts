/** One thing a long preparation wants to say; the caller renders it. */
export interface Progress {
  step: string;
  detail?: string;
  /** 0 to 1, of the whole that is under way. */
  fraction?: number;
}

export type ReportProgress = (progress: Progress) => void;

/** Seconds as people say them: `42 s`, `2 min 05 s`. */
export function elapsedText(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
