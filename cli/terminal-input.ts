import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** All of a stream as UTF-8 text. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts).toString('utf8');
}

/** Asks a question on the terminal; undefined where nobody can answer it. */
export async function askOnTerminal(
  terminal: { input: NodeJS.ReadStream; output: NodeJS.WriteStream },
  question: string,
  options: { secret?: boolean } = {},
): Promise<string | undefined> {
  if (!terminal.input.isTTY || !terminal.output.isTTY) return undefined;
  terminal.output.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = options.secret === true ? nowhere : terminal.output;
  const reader = createInterface({ input: terminal.input, output, terminal: true });
  try {
    return await reader.question('');
  } finally {
    reader.close();
    if (options.secret === true) terminal.output.write('\n');
  }
}
