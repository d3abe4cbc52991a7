import type { Health } from '../status.ts';
import { conditionOf, health, type HealthRule, type ObjectView, textIn } from './read.ts';

/** Kinds that other kinds need: definitions, API services, namespaces, disruption budgets. */
export const clusterRules: readonly (readonly [string, HealthRule])[] = [
  ['apiextensions.k8s.io/CustomResourceDefinition', definitionHealth],
  ['apiregistration.k8s.io/APIService', apiServiceHealth],
  ['policy/PodDisruptionBudget', budgetHealth],
  ['/Namespace', namespaceHealth],
];

function definitionHealth(view: ObjectView): Health {
  const names = conditionOf(view, 'NamesAccepted');
  if (names?.status === 'False') return health('Degraded', `CRD names have not been accepted: ${names.message}`);
  const established = conditionOf(view, 'Established');
  if (established?.status === 'True') return health('Healthy', 'CRD is healthy');
  const violation = conditionOf(view, 'NonStructuralSchema');
  if (violation?.status === 'True') {
    return health('Degraded', `Schema violations found: ${violation.reason} ${violation.message}`);
  }
  return health('Progressing', established?.message || 'Status conditions not found');
}

function apiServiceHealth(view: ObjectView): Health {
  const available = conditionOf(view, 'Available');
  if (available === undefined) return health('Progressing', 'Waiting to be processed');
  const message = `${available.reason}: ${available.message}`;
  return health(available.status === 'True' ? 'Healthy' : 'Progressing', message);
}

/** Too few pods may be what somebody wants (Argo CD's script): only other reasons are failures. */
function budgetHealth({ conditions }: ObjectView): Health {
  const failed = conditions.find(({ status, reason }) => status === 'False' && reason !== 'InsufficientPods');
  if (failed !== undefined) return health('Degraded', `PodDisruptionBudget has ${failed.reason}`);
  const last = conditions.at(-1);
  if (last === undefined) return health('Progressing', 'Waiting for status');
  return health('Healthy', `PodDisruptionBudget has ${last.reason}`);
}

function namespaceHealth({ status }: ObjectView): Health | undefined {
  return textIn(status, 'phase') === 'Terminating' ? health('Progressing', 'Pending deletion') : undefined;
}
