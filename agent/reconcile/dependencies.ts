import type { AppRuntime } from './runtime.ts';

/** Why the applications that this one depends on are not ready, one sentence each (flux.md §2.1, step 4). */
export function unmetDependencies(app: AppRuntime, all: ReadonlyMap<string, AppRuntime>): string[] {
  return app.root.dependsOn.flatMap(({ application, generation }) => {
    const other = all.get(application);
    if (other === undefined) return [`${application} is not in this cluster`];
    if ((other.record.applied?.generation ?? 0) < generation) {
      return [`${application} has not applied generation ${generation}`];
    }
    return isHealthy(other) ? [] : [`${application} is not healthy`];
  });
}

function isHealthy(app: AppRuntime): boolean {
  for (const [key, seen] of app.observed) {
    const object = app.desired.objects.get(key);
    if (object === undefined || object.hook !== undefined || object.options?.ignoreHealth === true) continue;
    if (seen.health !== undefined && seen.health.status !== 'Healthy') return false;
  }
  return true;
}
