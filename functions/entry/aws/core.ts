import { AsyncLocalStorage } from 'node:async_hooks';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { createEmfMetrics, type EmfMetrics } from '#shared/adapters/observe/emf-metrics.ts';
import { createLog } from '#shared/adapters/observe/pino-log.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { readSettings, type CommonSetting, type SettingName, type Settings } from './settings.ts';

/** What every function has, made once per process. */
export interface Core<Name extends SettingName = never> {
  settings: Settings<Name | CommonSetting>;
  clock: Clock;
  /** One JSON object per line, with the fields of the invocation and of the message that are being handled. */
  log: Log;
  metrics: EmfMetrics;
  /** Runs `work` with these fields in every log line of it. */
  withFields<T>(fields: Record<string, string>, work: () => T): T;
}

/** Reads the environment and makes what everything else is made of. */
export function createCore<Name extends SettingName>(name: string, needed: readonly Name[]): Core<Name> {
  const settings = readSettings(name, process.env, needed);
  const common = settings as Settings<CommonSetting>;
  const fields = new AsyncLocalStorage<Record<string, string>>();
  const clock = createSystemClock();
  return {
    settings,
    clock,
    log: createLog({ level: common.logLevel, name, fields: () => fields.getStore() ?? {} }),
    metrics: createEmfMetrics({ namespace: `Hawser/${common.environment}`, clock, labels: { function: name } }),
    withFields: (more, work) => fields.run({ ...fields.getStore(), ...more }, work),
  };
}
