import type { Log } from '#shared/ports/log.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];

/** One JSON line per message; a few lines instead of a library, because every megabyte of the agent counts. */
export function createJsonLog(
  level: LogLevel,
  write: (line: string) => void,
  fields: Record<string, unknown> = {},
): Log {
  const from = levels.indexOf(level);
  const at = (of: LogLevel) => (more: Record<string, unknown>, message: string) => {
    if (levels.indexOf(of) < from) return;
    write(`${JSON.stringify({ time: new Date().toISOString(), level: of, ...fields, ...more, message })}\n`);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => createJsonLog(level, write, { ...fields, ...more }),
  };
}
