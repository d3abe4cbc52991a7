import type { Application } from '#shared/domain/application.ts';
import { isJsonObject, type JsonObject } from '#shared/domain/json.ts';
import type { ApplicationStatus, Condition } from '#shared/domain/status.ts';
import type { HistoryView } from '#shared/messages/api.ts';

/**
 * `status` of a Kustomization as Flux writes it (flux.md §1.2, §2.6, §2.11): `flux get`, `kubectl wait` expressions and
 * kstatus read the same words. Pure.
 */
export function kustomizationStatus(
  application: Application,
  status: ApplicationStatus,
  conditions: Condition[],
  history: HistoryView[],
  silent: boolean,
): JsonObject {
  const generation = generationOf(application.declared);
  const applied = revisionText(application, status.sync.revision);
  const attempted = revisionText(application, status.desired?.revision);
  const value = {
    observedGeneration: generation,
    conditions: fluxConditions(status, conditions, generation, applied, silent),
    ...(applied === undefined ? {} : { lastAppliedRevision: applied }),
    ...(attempted === undefined ? {} : { lastAttemptedRevision: attempted }),
    inventory: {
      entries: status.resources
        .filter((resource) => resource.hook === undefined)
        .map((resource) => ({
          id: `${resource.namespace}_${resource.name}_${resource.group}_${resource.kind}`,
          v: resource.version,
        })),
    },
    history: history
      .filter((entry) => entry.deployedAt !== undefined)
      .slice(0, 5)
      .map((entry) => ({
        digest: `sha256:${entry.revision}`,
        firstReconciled: entry.publishedAt,
        lastReconciled: entry.deployedAt,
        lastReconciledDuration: `${Math.max(0, Date.parse(entry.deployedAt ?? '') - Date.parse(entry.publishedAt))}ms`,
        lastReconciledStatus: 'ReconciliationSucceeded',
        totalReconciliations: 1,
        metadata: { revision: revisionText(application, entry.revision) },
      })),
  };
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

/** `status` of a GitRepository: the newest commit that was read, or why there is none. */
export function gitRepositoryStatus(
  declared: JsonObject,
  source:
    | { selector: string; commit: string; seenAt: string; error?: { code: string; message: string; since: string } }
    | undefined,
): JsonObject {
  const generation = generationOf(declared) || 1;
  const at = source?.error?.since ?? source?.seenAt ?? new Date(0).toISOString();
  const revision = source?.commit ? `${shortRef(source.selector)}@sha1:${source.commit}` : undefined;
  const ready = source !== undefined && source.error === undefined && revision !== undefined;
  const condition = {
    type: 'Ready',
    status: ready ? 'True' : source?.error ? 'False' : 'Unknown',
    reason: ready ? 'Succeeded' : source?.error ? 'GitOperationFailed' : 'Progressing',
    message: ready
      ? `stored artifact for revision '${revision}'`
      : (source?.error?.message ?? 'waiting for the first read'),
    lastTransitionTime: at,
    observedGeneration: generation,
  };
  return JSON.parse(
    JSON.stringify({
      observedGeneration: generation,
      conditions: [condition],
      ...(revision === undefined ? {} : { artifact: { revision, lastUpdateTime: source?.seenAt } }),
    }),
  ) as JsonObject;
}

type Make = (type: string, value: 'True' | 'False' | 'Unknown', reason: string, message: string, at?: string) => object;

function fluxConditions(
  status: ApplicationStatus,
  conditions: Condition[],
  generation: number,
  applied: string | undefined,
  silent: boolean,
): object[] {
  const since = status.operation?.finishedAt ?? status.operation?.startedAt ?? status.health.since;
  const make: Make = (type, value, reason, message, lastTransitionTime = since) => ({
    type,
    status: value,
    reason,
    message: message.slice(0, 20_000),
    lastTransitionTime,
    observedGeneration: generation,
  });
  if (silent) {
    return [make('Ready', 'Unknown', 'Progressing', 'the agent of this cluster has not been heard for more than 90 s')];
  }
  return troubleConditions(status, conditions, make) ?? progressConditions(status, applied, make);
}

/** What keeps it from being ready, in Flux's reasons; undefined where nothing does. */
function troubleConditions(
  { operation }: ApplicationStatus,
  conditions: Condition[],
  make: Make,
): object[] | undefined {
  const failure = conditions.find(({ type }) => type.endsWith('Error') || type === 'SourceMissing');
  if (failure) {
    const reasons: Partial<Record<Condition['type'], string>> = {
      ComparisonError: 'BuildFailed',
      SourceMissing: 'ArtifactFailed',
    };
    const reason = reasons[failure.type] ?? 'ReconciliationFailed';
    return [make('Ready', 'False', reason, failure.message, failure.lastTransitionTime)];
  }
  const dependency = conditions.find(({ type }) => type === 'DependencyNotReady');
  if (dependency) {
    return [make('Ready', 'False', 'DependencyNotReady', dependency.message, dependency.lastTransitionTime)];
  }
  const failed = operation?.phase === 'Failed' || operation?.phase === 'Error';
  const retries = operation?.phase === 'Running' && operation.retryCount > 0;
  return failed || retries ? [make('Ready', 'False', 'ReconciliationFailed', operation.message)] : undefined;
}

function progressConditions(status: ApplicationStatus, applied: string | undefined, make: Make): object[] {
  const current = status.desired !== undefined && status.sync.generation === status.desired.generation;
  if (!current || status.operation?.phase === 'Running') {
    const message = 'reconciliation in progress';
    return [make('Reconciling', 'True', 'Progressing', message), make('Ready', 'Unknown', 'Progressing', message)];
  }
  const { status: health, message = health, since } = status.health;
  if (health === 'Healthy' || health === 'Suspended') {
    return [
      make('Ready', 'True', 'ReconciliationSucceeded', `Applied revision: ${applied ?? ''}`),
      make('Healthy', 'True', 'Succeeded', message, since),
    ];
  }
  const degraded = health === 'Degraded';
  return [
    make('Ready', degraded ? 'False' : 'Unknown', degraded ? 'HealthCheckFailed' : 'Progressing', message),
    make('Healthy', degraded ? 'False' : 'Unknown', 'Progressing', message, since),
  ];
}

function revisionText(application: Application, revision: string | undefined): string | undefined {
  if (revision === undefined || revision === '') return undefined;
  return `${shortRef(application.sources[0]?.revision ?? '')}@sha1:${revision}`;
}

function shortRef(selector: string): string {
  return selector.replace(/^refs\/(heads|tags)\//, '');
}

function generationOf(declared: JsonObject): number {
  const metadata = isJsonObject(declared['metadata']) ? declared['metadata'] : {};
  return Number(metadata['generation'] ?? 0);
}
