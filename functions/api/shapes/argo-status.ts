import type { Application } from '#shared/domain/application.ts';
import { isJsonObject, type JsonObject } from '#shared/domain/json.ts';
import type { ApplicationStatus, Condition } from '#shared/domain/status.ts';
import { Hint } from '#shared/messages/hint.ts';
import type { ApplicationSummary, HistoryView } from '#shared/messages/api.ts';

/** What starts a plan without a person. */
const reasons: ReadonlySet<string> = new Set(Hint.shape.reason.options);

/**
 * `status` of an Application as Argo CD writes it (argo-cd.md §2.13), so that people's jq lines keep working.
 * Pure; what is not known is absent rather than made up.
 */
export function argoStatus(
  application: Application,
  status: ApplicationStatus,
  summary: ApplicationSummary,
  conditions: Condition[],
  history: HistoryView[],
): JsonObject {
  const spec = isJsonObject(application.declared['spec']) ? application.declared['spec'] : {};
  const source = spec['source'];
  const revision = status.sync.revision ?? status.desired?.revision ?? '';
  const comparedTo = { ...(source === undefined ? {} : { source }), destination: spec['destination'] ?? {} };
  const value = {
    resources: status.resources.map(({ group, version, kind, namespace, name, ...rest }) => ({
      ...(group === '' ? {} : { group }),
      version,
      kind,
      ...(namespace === '' ? {} : { namespace }),
      name,
      ...rest,
    })),
    sync: { status: summary.sync, comparedTo, revision },
    health: {
      status: status.health.status,
      ...(status.health.message ? { message: status.health.message } : {}),
      lastTransitionTime: status.health.since,
    },
    history: history
      .filter((entry) => entry.deployedAt !== undefined)
      .toReversed()
      .map((entry) => ({
        id: entry.id,
        revision: entry.revision,
        deployedAt: entry.deployedAt,
        deployStartedAt: entry.publishedAt,
        source,
        initiatedBy: reasons.has(entry.initiatedBy) ? { automated: true } : { username: entry.initiatedBy },
      })),
    conditions: conditions.map(({ type, message, lastTransitionTime }) => ({ type, message, lastTransitionTime })),
    ...(status.report === undefined ? {} : { reconciledAt: status.report.at }),
    ...(status.operation === undefined ? {} : { operationState: operationState(status, source) }),
    sourceType: sourceType(application),
    summary: status.images.length > 0 ? { images: status.images } : {},
    controllerNamespace: 'hawser-system',
  };
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function operationState(status: ApplicationStatus, source: unknown): object {
  const operation = status.operation;
  if (operation === undefined) return {};
  return {
    operation: { sync: { revision: operation.revision }, initiatedBy: operation.initiatedBy },
    phase: operation.phase,
    message: operation.message,
    startedAt: operation.startedAt,
    ...(operation.finishedAt === undefined ? {} : { finishedAt: operation.finishedAt }),
    ...(operation.retryCount > 0 ? { retryCount: operation.retryCount } : {}),
    syncResult: {
      revision: operation.revision,
      source,
      resources: operation.resources.map((resource) => ({
        group: resource.group,
        version: resource.version,
        kind: resource.kind,
        namespace: resource.namespace,
        name: resource.name,
        status: resource.status,
        message: resource.message,
        syncPhase: resource.phase,
        hookPhase: resource.action === 'failed' ? 'Failed' : 'Succeeded',
        ...(resource.hookType === undefined ? {} : { hookType: resource.hookType }),
      })),
    },
  };
}

function sourceType(application: Application): string {
  const tool = application.sources[0]?.render.tool;
  return tool === 'helm' ? 'Helm' : tool === 'kustomize' || tool === 'flux' ? 'Kustomize' : 'Directory';
}
