import type { Health } from '../status.ts';
import { annotationOf } from '../kube-object.ts';
import { health, type HealthRule, listIn, objectIn, type ObjectCondition, type ObjectView, textIn } from './read.ts';

/** Services, Ingresses, volumes claims and autoscalers: what waits for something outside the cluster. */
export const networkRules: readonly (readonly [string, HealthRule])[] = [
  ['/Service', serviceHealth],
  ['networking.k8s.io/Ingress', ingressHealth],
  ['extensions/Ingress', ingressHealth],
  ['/PersistentVolumeClaim', claimHealth],
  ['autoscaling/HorizontalPodAutoscaler', autoscalerHealth],
];

function serviceHealth({ spec, status }: ObjectView): Health {
  if (spec['type'] !== 'LoadBalancer') return health('Healthy');
  return health(hasAddress(status) ? 'Healthy' : 'Progressing');
}

function ingressHealth({ status }: ObjectView): Health {
  return health(hasAddress(status) ? 'Healthy' : 'Progressing');
}

function hasAddress(status: ObjectView['status']): boolean {
  return listIn(objectIn(status, 'loadBalancer'), 'ingress').length > 0;
}

function claimHealth({ status }: ObjectView): Health {
  switch (textIn(status, 'phase')) {
    case 'Bound':
      return health('Healthy');
    case 'Pending':
      return health('Progressing');
    case 'Lost':
      return health('Degraded');
    default:
      return health('Unknown');
  }
}

const failures = new Set([
  'AbleToScale FailedGetScale',
  'AbleToScale FailedUpdateScale',
  'ScalingActive FailedGetResourceMetric',
  'ScalingActive InvalidSelector',
]);

/** Argo CD's rule: the first condition that says something decides, in the order of the list. */
function autoscalerHealth(view: ObjectView): Health {
  for (const { type, status, reason, message } of autoscalerConditions(view)) {
    if (failures.has(`${type} ${reason}`)) return health('Degraded', message);
    if ((type === 'AbleToScale' || type === 'ScalingLimited') && status === 'True') return health('Healthy', message);
  }
  return health('Progressing', 'Waiting to Autoscale');
}

/** autoscaling/v1 keeps them as JSON in an annotation. */
function autoscalerConditions(view: ObjectView): ObjectCondition[] {
  const text = annotationOf(view.object, 'autoscaling.alpha.kubernetes.io/conditions');
  if (view.object.apiVersion !== 'autoscaling/v1' || text === undefined) return view.conditions;
  try {
    const conditions = JSON.parse(text) as Partial<ObjectCondition>[];
    return conditions.map((condition) => ({ type: '', status: '', reason: '', message: '', ...condition }));
  } catch {
    return [];
  }
}
