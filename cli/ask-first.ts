import type { Context } from './context.ts';
import { Failure, exitCode, usage } from './failure.ts';

/** Goes on only with `--yes` or a typed yes. Where nobody can answer, `--yes` is asked for (exit 2); a no is exit 3. */
export async function askFirst(context: Context, question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return;
  const answer = await context.ask(`${question} [y/N] `);
  if (answer === undefined) throw usage('this needs a confirmation, and nobody is there to give it', 'Add --yes.');
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure(exitCode.refused, 'nothing was done');
}

/** A secret from an option: `-` reads it from standard input, so that it never shows in a list of processes. */
export async function readSecret(context: Context, given: string | undefined): Promise<string | undefined> {
  if (given !== '-') return given;
  const text = (await context.readInput()).trim();
  if (text === '') throw usage('standard input was empty', 'Pipe the secret in, as in `printenv TOKEN | hawser … -`.');
  return text;
}
