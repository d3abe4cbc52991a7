import { hash } from 'node:crypto';
import type { KubeObject } from '#shared/domain/kube-object.ts';

/**
 * Hash over everything of a live object that can be drift: not its status, not what the API server keeps book of.
 * Most events of a workload change only those, and cost no more than this.
 */
export function shapeOf(object: KubeObject): string {
  const { status: _, metadata, ...rest } = object;
  const { managedFields: __, resourceVersion: ___, generation: ____, ...meta } = metadata;
  return hash('sha1', JSON.stringify([meta, rest]), 'base64');
}
