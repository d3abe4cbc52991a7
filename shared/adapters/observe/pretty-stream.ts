import { stripVTControlCharacters } from 'node:util';

const marks: Record<string, string> = { debug: 'debug', info: 'info ', warn: 'WARN ', error: 'ERROR' };
/** Shown by itself or of no use to people. */
const own = new Set(['level', 'time', 'name', 'message']);

/** Turns log lines into `12:00:00 WARN  service  message  key=value`. Values keep their JSON escapes, so a line stays a line. */
export function createPrettyStream(target: { write(text: string): void }): { write(text: string): void } {
  return {
    write(text) {
      target.write(`${prettyLine(JSON.parse(text) as Record<string, unknown>)}\n`);
    },
  };
}

function prettyLine(line: Record<string, unknown>): string {
  const time = String(line['time']).slice(11, 19);
  const mark = marks[String(line['level'])] ?? String(line['level']);
  const fields = Object.entries(line)
    .filter(([key]) => !own.has(key))
    .map(([key, value]) => `${clean(key)}=${fieldText(value)}`);
  return [`${time} ${mark} ${clean(String(line['name']))}`, clean(String(line['message'])), fields.join(' ')]
    .join('  ')
    .trimEnd();
}

function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value;
  if (typeof value === 'object' && value !== null && 'message' in value)
    return JSON.stringify((value as { message: unknown }).message);
  return JSON.stringify(value);
}

/** No terminal escapes and no line breaks from outside. */
function clean(text: string): string {
  return JSON.stringify(stripVTControlCharacters(text)).slice(1, -1).replaceAll('\\"', '"');
}
