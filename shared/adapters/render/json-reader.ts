import { HawserError } from '../../errors.ts';
import { numberText, type JsonMap, type JsonTree } from './json-tree.ts';
import { limitError } from './limits.ts';

/** Parses one or several JSON values that follow each other. Throws `object-invalid` with the line, or `render-limit` past LIM-12. */
export function parseJsonStream(text: string, maxDepth: number): JsonTree[] {
  const reader: Reader = { text, at: 0, maxDepth };
  const values: JsonTree[] = [];
  skipBlanks(reader);
  while (reader.at < text.length) {
    values.push(readValue(reader, 1));
    skipBlanks(reader);
  }
  return values;
}

interface Reader {
  text: string;
  at: number;
  maxDepth: number;
}

const stringToken = /"[^"\\]*(?:\\[^][^"\\]*)*"/y;
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const wordToken = /true|false|null/y;
const blankToken = /[ \t\r\n]*/y;

function readValue(reader: Reader, depth: number): JsonTree {
  if (depth > reader.maxDepth) throw limitError('depth', reader.maxDepth);
  skipBlanks(reader);
  if (reader.text[reader.at] === '"') return readString(reader);
  if (take(reader, '{')) return readObject(reader, depth);
  if (take(reader, '[')) return readArray(reader, depth);
  const word = readToken(reader, wordToken);
  if (word !== undefined) return word === 'null' ? null : word === 'true';
  const digits = numberText(readToken(reader, numberToken) ?? fail(reader));
  return digits === undefined ? fail(reader) : { digits };
}

/** The last of equal keys wins, as in Go. */
function readObject(reader: Reader, depth: number): JsonMap {
  const map: JsonMap = new Map();
  if (take(reader, '}')) return map;
  do {
    skipBlanks(reader);
    const key = readString(reader);
    if (!take(reader, ':')) fail(reader);
    map.set(key, readValue(reader, depth + 1));
  } while (take(reader, ','));
  return take(reader, '}') ? map : fail(reader);
}

function readArray(reader: Reader, depth: number): JsonTree[] {
  const list: JsonTree[] = [];
  if (take(reader, ']')) return list;
  do list.push(readValue(reader, depth + 1));
  while (take(reader, ','));
  return take(reader, ']') ? list : fail(reader);
}

function readString(reader: Reader): string {
  const start = reader.at;
  const token = readToken(reader, stringToken) ?? fail(reader);
  try {
    return JSON.parse(token) as string;
  } catch {
    reader.at = start;
    return fail(reader);
  }
}

function take(reader: Reader, character: string): boolean {
  skipBlanks(reader);
  if (reader.text[reader.at] !== character) return false;
  reader.at += 1;
  return true;
}

function readToken(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  if (!pattern.test(reader.text)) return undefined;
  const token = reader.text.slice(reader.at, pattern.lastIndex);
  reader.at = pattern.lastIndex;
  return token;
}

function skipBlanks(reader: Reader): void {
  blankToken.lastIndex = reader.at;
  blankToken.test(reader.text);
  reader.at = blankToken.lastIndex;
}

function fail({ text, at }: Reader): never {
  const line = text.slice(0, at).split('\n').length;
  const found = at < text.length ? JSON.stringify(text.slice(at, at + 20)) : 'the end';
  throw new HawserError('object-invalid', `not JSON: line ${line}: unexpected ${found}`, { data: { line } });
}
