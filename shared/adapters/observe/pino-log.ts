import { type DestinationStream, destination, pino, stdTimeFunctions, type Logger } from 'pino';
import type { Log } from '../../ports/log.ts';
import { createPrettyStream } from './pretty-stream.ts';
import { redact, redactText } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  level: LogLevel;
  /** Which process speaks: `service`, `agent`. */
  name: string;
  /** Standard error when absent. */
  destination?: { write(text: string): void };
  /** One short line for people instead of JSON for machines. */
  pretty?: boolean;
  /** Asked for every line: fields of what is being handled (request, trace). A line's own fields of the same names win. */
  fields?: () => Record<string, unknown>;
}

/**
 * Structured log: one JSON object per line, written synchronously, so that the last line before a crash is there.
 * Secret-sounding fields and credentials in URLs are masked (`redact`); control characters arrive escaped, so that nothing
 * that a repository or a request holds can forge a line.
 */
export function createLog(options: LogOptions): Log {
  const raw: DestinationStream = options.destination ?? destination({ dest: 2, sync: true });
  const stream = options.pretty === true ? createPrettyStream(raw) : raw;
  const logger = pino(
    {
      level: options.level,
      base: { name: options.name },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      ...(options.fields === undefined ? {} : { mixin: options.fields, mixinMergeStrategy: ownFieldsWin }),
    },
    stream,
  );
  return wrap(logger);
}

function ownFieldsWin(own: object, mixin: object): object {
  return { ...mixin, ...own };
}

function wrap(logger: Logger): Log {
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
    child: (fields) => wrap(logger.child(redact(fields))),
  };

  function write(level: 'debug' | 'info' | 'warn' | 'error', fields: Record<string, unknown>, message: string): void {
    if (logger.isLevelEnabled(level)) logger[level](redact(fields), redactText(message));
  }
}
