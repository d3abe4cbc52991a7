import { hookOf } from '../hooks.ts';
import type { JsonObject } from '../json.ts';
import { annotationOf } from '../kube-object.ts';
import type { Health } from '../status.ts';
import { conditionOf, countIn, health, listIn, objectIn, type ObjectView, textIn } from './read.ts';

/** Argo CD's rule for Pods. */
export function podHealth(view: ObjectView): Health {
  const { status } = view;
  const message = textIn(status, 'message');
  if (judgesContainers(view)) {
    const failing = containersOf(status).filter(isStuck);
    if (failing.length > 0) return health('Degraded', failing.map((waiting) => textIn(waiting, 'message')).join(', '));
  }
  switch (textIn(status, 'phase')) {
    case 'Pending':
      return health('Progressing', message);
    case 'Succeeded':
      return health('Healthy', message);
    case 'Failed':
      return health('Degraded', message || failureMessage(status));
    case 'Running':
      return runningHealth(view, message);
    default:
      return health('Unknown', message);
  }
}

/** A pod that ends by itself and waits for its image may still start: as a hook it must not count as failed too early. */
function judgesContainers(view: ObjectView): boolean {
  if (view.spec['restartPolicy'] === 'Always') return true;
  const ignoresPolicy = annotationOf(view.object, 'argocd.argoproj.io/ignore-restart-policy') === 'true';
  return ignoresPolicy && hookOf(view.object) === undefined;
}

function containersOf(status: JsonObject): JsonObject[] {
  return listIn(status, 'containerStatuses').map((container) => objectIn(objectIn(container, 'state'), 'waiting'));
}

function isStuck(waiting: JsonObject): boolean {
  return /^Err|(?:Error|BackOff)$/.test(textIn(waiting, 'reason'));
}

function runningHealth(view: ObjectView, message: string): Health {
  if (view.spec['restartPolicy'] !== 'Always') return health('Progressing', message);
  if (conditionOf(view, 'Ready')?.status === 'True') return health('Healthy', message);
  const restarted = listIn(view.status, 'containerStatuses').some(
    (container) => objectIn(container, 'lastState')['terminated'] != null,
  );
  return health(restarted ? 'Degraded' : 'Progressing', message);
}

function failureMessage(status: JsonObject): string {
  const containers = [...listIn(status, 'initContainerStatuses'), ...listIn(status, 'containerStatuses')];
  for (const container of containers) {
    const ended = objectIn(objectIn(container, 'state'), 'terminated');
    if (textIn(ended, 'message') !== '') return textIn(ended, 'message');
    if (textIn(ended, 'reason') === 'OOMKilled') return 'OOMKilled';
    const code = countIn(ended, 'exitCode');
    if (code !== 0) return `container ${JSON.stringify(textIn(container, 'name'))} failed with exit code ${code}`;
  }
  return '';
}
