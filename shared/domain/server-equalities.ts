import type { Json, JsonObject } from './json.ts';

/**
 * What the API server makes of written fields of its built-in kinds: zero values that it drops, values that it allocates,
 * amounts that it writes in its own way. Incomplete on purpose: what is missing here shows as a suspect, and a dry run
 * clears it; what is wrong here would hide drift.
 */

const builtInGroups = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'extensions',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

/** True for kinds of Kubernetes itself, whose schema is known; others keep what was written. */
export function isBuiltIn(apiVersion: string): boolean {
  const slash = apiVersion.indexOf('/');
  return slash < 0 || builtInGroups.has(apiVersion.slice(0, slash));
}

const openMaps = new Set([
  'labels',
  'annotations',
  'data',
  'binaryData',
  'stringData',
  'matchLabels',
  'nodeSelector',
  'selector',
  'limits',
  'requests',
  'hard',
  'parameters',
  'capacity',
]);

/** Objects whose member names are the users', not fields of a schema. The selectors of some kinds are one, of others not. */
export function isOpenMap(name: string, members: JsonObject): boolean {
  if (name === 'selector' && ('matchLabels' in members || 'matchExpressions' in members)) return false;
  return openMaps.has(name);
}

/** Plain values without a pointer in the Go types: false, 0 and '' are dropped when they are stored. */
const droppedFalse = new Set([
  'hostNetwork',
  'hostPID',
  'hostIPC',
  'stdin',
  'stdinOnce',
  'tty',
  'readOnly',
  'paused',
  'publishNotReadyAddresses',
  'unschedulable',
  'preserveUnknownFields',
  'globalDefault',
]);
const droppedNumber = new Set([
  'minReadySeconds',
  'initialDelaySeconds',
  'nodePort',
  'hostPort',
  'healthCheckNodePort',
]);
/** Texts behind a pointer: '' is kept and means something. */
const keptEmptyText = new Set([
  'storageClassName',
  'ingressClassName',
  'volumeAttributesClassName',
  'runtimeClassName',
]);

/** True where the API server stores nothing for this value, so that «absent» is what was asked for. */
export function isDroppedZero(name: string, value: Json): boolean {
  if (name.endsWith('/')) return false;
  if (value === false) return droppedFalse.has(name);
  if (value === 0) return droppedNumber.has(name);
  if (value === '') return !keptEmptyText.has(name);
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && openMaps.has(name) && Object.keys(value).length === 0;
}

const allocated = new Set(['clusterIP', 'nodePort', 'healthCheckNodePort', 'volumeName', 'singular']);

/** What the API server puts where an empty value was written, by field. */
const defaults: Readonly<Record<string, readonly (string | number)[]>> = {
  imagePullPolicy: ['Always', 'IfNotPresent'],
  terminationMessagePath: ['/dev/termination-log'],
  terminationMessagePolicy: ['File'],
  sessionAffinity: ['None'],
  restartPolicy: ['Always'],
  dnsPolicy: ['ClusterFirst'],
  schedulerName: ['default-scheduler'],
  protocol: ['TCP'],
  timeoutSeconds: [1],
  periodSeconds: [10],
  successThreshold: [1],
  failureThreshold: [3],
};

/** True where an empty value asks the API server to choose one, and it chose as it does. */
export function isLeftToServer(name: string, value: Json, live: Json): boolean {
  if (value !== '' && value !== 0) return false;
  if (allocated.has(name)) return true;
  return Object.hasOwn(defaults, name) && defaults[name]?.includes(live as string | number) === true;
}

const quantityMaps = new Set(['limits', 'requests', 'hard', 'capacity', 'overhead', 'podFixed']);
const limitRangeMaps = new Set(['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio']);
const quantityFields = new Set(['sizeLimit', 'divisor', 'averageValue']);

/** True where a field of this path holds an amount (`resources.limits.cpu`, `spec.hard`, `sizeLimit`…). */
export function isQuantity(path: readonly (string | number)[], builtIn: boolean): boolean {
  if (!builtIn) return false;
  const last = path.at(-1);
  const parent = path.at(-2);
  if (typeof parent === 'string' && quantityMaps.has(parent)) return true;
  if (typeof parent === 'string' && limitRangeMaps.has(parent)) return path[1] === 'limits';
  if (last === 'value') return parent === 'target';
  return typeof last === 'string' && quantityFields.has(last);
}
