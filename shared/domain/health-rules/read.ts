import { isJsonObject, type Json, type JsonObject } from '../json.ts';
import type { KubeObject } from '../kube-object.ts';
import type { Health, HealthStatus } from '../status.ts';

/** One entry of `status.conditions`. */
export interface ObjectCondition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

/** What health rules read of an object; nothing here throws on a missing field. */
export interface ObjectView {
  object: KubeObject;
  name: string;
  /** 0 where the kind has none. */
  generation: number;
  /** undefined where nobody has written it, or not as a number. */
  observedGeneration: number | undefined;
  spec: JsonObject;
  status: JsonObject;
  conditions: ObjectCondition[];
}

/** undefined: no health. Pure; throws a TypeError only where a field has an impossible shape. */
export type HealthRule = (view: ObjectView) => Health | undefined;

/** Reads the parts of an object that rules need. */
export function read(object: KubeObject): ObjectView {
  const spec = objectIn(object, 'spec');
  const status = objectIn(object, 'status');
  return {
    object,
    name: object.metadata.name,
    generation: numberIn(object.metadata, 'generation') ?? 0,
    observedGeneration: numberIn(status, 'observedGeneration'),
    spec,
    status,
    conditions: conditionsIn(status),
  };
}

/** A health; the message is left out where it is empty, as Argo CD shows it. */
export function health(status: HealthStatus, message = ''): Health {
  return message === '' ? { status } : { status, message };
}

export function conditionOf(view: ObjectView, type: string): ObjectCondition | undefined {
  return view.conditions.find((condition) => condition.type === type);
}

/** A member that is an object, else an empty one. */
export function objectIn(parent: JsonObject, field: string): JsonObject {
  const value = parent[field];
  return isJsonObject(value) ? value : {};
}

export function numberIn(parent: JsonObject, field: string): number | undefined {
  const value = parent[field];
  return typeof value === 'number' ? value : undefined;
}

/** A counter of a status: what is not written is 0. */
export function countIn(parent: JsonObject, field: string): number {
  return numberIn(parent, field) ?? 0;
}

export function textIn(parent: JsonObject, field: string): string {
  const value = parent[field];
  return typeof value === 'string' ? value : '';
}

/** The objects of a list member, else none. */
export function listIn(parent: JsonObject, field: string): JsonObject[] {
  const value: Json | undefined = parent[field];
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function conditionsIn(status: JsonObject): ObjectCondition[] {
  return listIn(status, 'conditions').map((condition) => ({
    type: textIn(condition, 'type'),
    status: textIn(condition, 'status'),
    reason: textIn(condition, 'reason'),
    message: textIn(condition, 'message'),
  }));
}
