import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { manyLines, safeJson } from './escape.ts';
import { table, type Column } from './table.ts';

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name';

/** The `-o` of a command; a usage failure where the command cannot print that. */
export function formatOf(command: Command, allowed: readonly Format[] = ['wide', 'json', 'yaml', 'name']): Format {
  const { output } = command.optsWithGlobals<{ output?: string }>();
  if (output === undefined) return 'table';
  const format = allowed.find((one) => one === output);
  if (format !== undefined) return format;
  throw usage(
    `-o ${JSON.stringify(output)} is not something that this command prints`,
    `Use one of ${allowed.join(', ')}.`,
  );
}

/** A line of our own making, in which only what came from the service was escaped. */
export function say(context: Context, line: string): void {
  context.out.write(`${line}\n`);
}

/** Text of several lines that came from the service. */
export function sayText(context: Context, text: string): void {
  context.out.write(`${manyLines(text)}\n`);
}

/** A remark beside the result: standard error. */
export function remark(context: Context, line: string): void {
  context.err.write(`${line}\n`);
}

export function printJson(context: Context, value: unknown): void {
  context.out.write(`${safeJson(JSON.stringify(value, null, 2))}\n`);
}

/** One line, for `--watch -o json`. */
export function printJsonLine(context: Context, value: unknown): void {
  context.out.write(`${safeJson(JSON.stringify(value))}\n`);
}

export async function printYaml(context: Context, value: unknown, separator = false): Promise<void> {
  const { toYaml } = await import('./yaml.ts');
  context.out.write(`${separator ? '---\n' : ''}${toYaml(value)}`);
}

/** `-o json` or `-o yaml`. */
export async function printData(context: Context, format: 'json' | 'yaml', value: unknown): Promise<void> {
  if (format === 'json') printJson(context, value);
  else await printYaml(context, value);
}

/** Columns, as wide as the terminal. */
export function printTable<Row>(
  context: Context,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { wide?: boolean; noHeader?: boolean } = {},
): void {
  context.out.write(table(rows, columns, { colour: context.colour, width: context.out.columns, ...options }));
}
