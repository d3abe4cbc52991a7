import { parseAllDocuments } from 'yaml';

import { HawserError } from '#shared/errors.ts';

const TEXT_BYTES = 1024 * 1024;
const DEPTH = 100;
const ALIASES = 100;

/**
 * Documents of a YAML file as plain values, empty ones left out.
 *
 * Refuses before parsing what could exhaust a parser: size, depth (NT-70); duplicate keys and aliases beyond a hundred
 * are errors too (NT-71, NT-72). Errors name the file and the line: `source-invalid`, `source-too-large`.
 */
export function readYaml(content: Uint8Array, path: string): unknown[] {
  if (content.length > TEXT_BYTES) {
    throw new HawserError('source-too-large', `${path} is larger than ${TEXT_BYTES} bytes`, {
      data: { path, bytes: TEXT_BYTES },
    });
  }
  const text = new TextDecoder().decode(content);
  const deep = tooDeepAt(text);
  if (deep !== undefined) throw invalid(path, deep, `is nested deeper than ${DEPTH} levels`);
  const values: unknown[] = [];
  for (const document of parseAllDocuments(text, { uniqueKeys: true, merge: false, logLevel: 'silent' })) {
    const [error] = document.errors;
    if (error !== undefined) throw invalid(path, error.linePos?.[0].line ?? 1, firstLine(error.message));
    try {
      const value: unknown = document.toJS({ maxAliasCount: ALIASES });
      if (value != null) values.push(value);
    } catch (cause) {
      throw invalid(path, 1, firstLine(cause instanceof Error ? cause.message : 'cannot be read'));
    }
  }
  return values;
}

/** The line at which the text may be nested too deep, counted without a parser: brackets, indentation, dashes in a row. */
function tooDeepAt(text: string): number | undefined {
  let brackets = 0;
  const indents: number[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const indent = line.search(/[^ ]/);
    if (indent >= 0) {
      while ((indents.at(-1) ?? -1) >= indent) indents.pop();
      indents.push(indent);
    }
    const dashes = /^[\s-]*/.exec(line)?.[0].replaceAll(/\s/g, '').length ?? 0;
    for (const character of line) {
      if (character === '[' || character === '{') brackets += 1;
      if ((character === ']' || character === '}') && brackets > 0) brackets -= 1;
      if (brackets > DEPTH) return index + 1;
    }
    if (indents.length + (isRule(line) ? 0 : dashes) > DEPTH) return index + 1;
  }
  return undefined;
}

/** A line of dashes only, as people draw in comments and block texts; also the start of a document. */
function isRule(line: string): boolean {
  return /^\s*-{3,}/.test(line);
}

function firstLine(message: string): string {
  return (message.split('\n', 1)[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}

function invalid(path: string, line: number, reason: string): HawserError {
  return new HawserError('source-invalid', `${path}:${line}: ${reason}`, { data: { path, line } });
}
