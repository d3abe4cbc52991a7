import type { Application } from '#shared/domain/application.ts';

/**
 * Applications after those that they depend on, as far as these are among them: when one is planned, it is known whether
 * its dependencies get a new generation. Where they depend on each other in a circle, the order is any.
 */
export function inDependencyOrder<T extends { application: Pick<Application, 'id' | 'dependsOn'> }>(
  candidates: readonly T[],
): T[] {
  const byId = new Map(candidates.map((candidate) => [candidate.application.id, candidate]));
  const ordered = new Set<T>();
  const entered = new Set<T>();
  const visit = (candidate: T): void => {
    if (entered.has(candidate)) return;
    entered.add(candidate);
    for (const id of candidate.application.dependsOn) {
      const dependency = byId.get(id);
      if (dependency !== undefined) visit(dependency);
    }
    ordered.add(candidate);
  };
  for (const candidate of candidates) visit(candidate);
  return [...ordered];
}
