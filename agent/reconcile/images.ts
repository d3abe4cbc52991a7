import { isJsonObject } from '#shared/domain/json.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';

const containerFields = ['containers', 'initContainers', 'ephemeralContainers'];

/** Images of a workload's pod template, wherever the kind keeps it. */
export function imagesOf(object: KubeObject): string[] {
  const found: string[] = [];
  const spec = object['spec'];
  if (!isJsonObject(spec)) return found;
  const jobTemplate = spec['jobTemplate'];
  const job = isJsonObject(jobTemplate) && isJsonObject(jobTemplate['spec']) ? jobTemplate['spec'] : undefined;
  for (const holder of [spec, templateOf(spec), job === undefined ? undefined : templateOf(job)]) {
    for (const field of containerFields) {
      const containers = holder?.[field];
      if (!Array.isArray(containers)) continue;
      for (const container of containers) {
        if (isJsonObject(container) && typeof container['image'] === 'string') found.push(container['image']);
      }
    }
  }
  return found;
}

function templateOf(spec: Record<string, unknown>): Record<string, unknown> | undefined {
  const template = spec['template'];
  return isJsonObject(template) && isJsonObject(template['spec']) ? template['spec'] : undefined;
}
