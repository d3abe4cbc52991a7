import type { Colour } from './output/colour.ts';

/** Where text goes: standard output or standard error. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal; undefined where there is none. */
  readonly columns: number | undefined;
  readonly rows: number | undefined;
}

/** Everything that a command may touch besides its arguments; made in `main.ts` only. */
export interface Context {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  /** Version of this program. */
  version: string;
  out: Output;
  err: Output;
  /** For standard output, and for standard error. */
  colour: Colour;
  errColour: Colour;
  fetch: typeof globalThis.fetch;
  now(): number;
  /** Resolves early, without rejecting, when the signal is aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Asks on the terminal; undefined where nobody can answer. `secret`: does not show what is typed. */
  ask(question: string, options?: { secret?: boolean }): Promise<string | undefined>;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  setExitCode(code: number): void;
}
