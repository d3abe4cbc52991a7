import { homedir } from 'node:os';
import { exitCode, Failure } from './failure.ts';
import type { Context, Output } from './context.ts';
import { createColour, wantsColour } from './output/colour.ts';
import { manyLines } from './output/escape.ts';
import { codeOfCommander, createProgram } from './program.ts';
import { askOnTerminal, readAll } from './terminal-input.ts';
import { version } from './version.ts';

/** `hawser`: the composition root of the command line. The only file here that knows `process`. */
async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  const context = createContext(argv);
  try {
    const program = await createProgram(argv, context);
    if (argv.length === 0) {
      program.outputHelp();
      return;
    }
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = codeOfCommander(error) ?? report(context, error);
  }
}

function report(context: Context, error: unknown): number {
  const known = error instanceof Failure;
  // After Ctrl-C whatever broke, broke because of it; but for who has to say where it was broken off.
  if (context.signal.aborted && !(known && error.code === exitCode.interrupted)) return exitCode.interrupted;
  const message = error instanceof Error ? error.message : String(error);
  context.err.write(`${context.errColour.paint('bad', 'error:')} ${manyLines(message)}\n`);
  const hint = known ? error.hint : 'This is a bug in hawser; HAWSER_DEBUG=1 shows where.';
  if (hint !== undefined) context.err.write(`       ${manyLines(hint)}\n`);
  if (!known && (process.env['HAWSER_DEBUG'] ?? '') !== '' && error instanceof Error) {
    context.err.write(`${error.stack ?? ''}\n`);
  }
  return known ? error.code : 1;
}

function createContext(argv: readonly string[]): Context {
  const out = createOutput(process.stdout);
  const err = createOutput(process.stderr);
  const noColour = argv.includes('--no-color');
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    interrupt.abort();
    process.exitCode = 130;
    // A second Ctrl-C ends it the hard way: the default is in force again.
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    version,
    out,
    err,
    colour: createColour(wantsColour(process.env, out.isTerminal, noColour)),
    errColour: createColour(wantsColour(process.env, err.isTerminal, noColour)),
    fetch: (input, init) => globalThis.fetch(input, init),
    now: () => Date.now(),
    sleep,
    readInput: () => readAll(process.stdin),
    ask: (question, options) => askOnTerminal({ input: process.stdin, output: process.stderr }, question, options),
    signal: interrupt.signal,
    setExitCode(code) {
      process.exitCode = code;
    },
  };
}

function createOutput(stream: NodeJS.WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // `hawser get apps | head` closes the pipe when it has seen enough.
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
    get rows() {
      return stream.isTTY ? stream.rows : undefined;
    },
  };
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}

await main();
