import type { AppRuntime } from './runtime.ts';

/** Why the applications that this one depends on are not ready, one sentence each (flux.md §2.1, step 4). */
export function unmetDependencies(app: AppRuntime, all: ReadonlyMap<string, AppRuntime>): string[] {
  return app.root.dependsOn.flatMap(({ application, generation }) => {
    const other = all.get(application);
    if (other === undefined) return [`${application} is not in this cluster`];
    const circle = `${application} depends on this application in its turn, so neither can go first`;
    if ((other.record.applied?.generation ?? 0) < generation) {
      return [dependsOn(other, app.id, all) ? circle : `${application} has not applied generation ${generation}`];
    }
    return isHealthy(other) ? [] : [`${application} is not healthy`];
  });
}

/** Whether one application waits for another, directly or through others. */
function dependsOn(app: AppRuntime, target: string, all: ReadonlyMap<string, AppRuntime>): boolean {
  const seen = new Set<string>();
  const pending = [app.id];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    for (const { application } of all.get(id)?.root.dependsOn ?? []) {
      if (application === target) return true;
      pending.push(application);
    }
  }
  return false;
}

function isHealthy(app: AppRuntime): boolean {
  for (const [key, seen] of app.observed) {
    const object = app.desired.objects.get(key);
    if (object === undefined || object.hook !== undefined || object.options?.ignoreHealth === true) continue;
    if (seen.health !== undefined && seen.health.status !== 'Healthy') return false;
  }
  return true;
}
