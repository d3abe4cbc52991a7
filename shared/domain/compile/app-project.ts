import { z } from 'zod';
import { HawserError } from '../../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Project } from '../project.ts';
import { describeProblems } from './context.ts';

const KindRules = z.array(z.object({ group: z.string(), kind: z.string(), name: z.string().optional() }));

const AppProject = z.object({
  metadata: z.object({ name: z.string().min(1) }),
  spec: z
    .object({
      description: z.string().optional(),
      sourceRepos: z.array(z.string()).nullish(),
      destinations: z
        .array(
          z.object({ server: z.string().optional(), name: z.string().optional(), namespace: z.string().optional() }),
        )
        .nullish(),
      clusterResourceWhitelist: KindRules.nullish(),
      clusterResourceBlacklist: KindRules.nullish(),
      namespaceResourceWhitelist: KindRules.nullish(),
      namespaceResourceBlacklist: KindRules.nullish(),
    })
    .default({}),
});

/** Compiles an `argoproj.io/v1alpha1` AppProject (argo-cd.md §1.7, §2.10). Throws `invalid-input` naming the fields. */
export function compileAppProject(object: JsonObject): Project {
  const result = AppProject.safeParse(object);
  if (!result.success) throw new HawserError('invalid-input', describeProblems(result.error, 'AppProject'));
  const { metadata, spec } = result.data;
  return JSON.parse(
    JSON.stringify({
      name: metadata.name,
      description: spec.description ?? '',
      sourceRepos: spec.sourceRepos ?? [],
      destinations: spec.destinations ?? [],
      clusterResourceWhitelist: spec.clusterResourceWhitelist ?? undefined,
      clusterResourceBlacklist: spec.clusterResourceBlacklist ?? undefined,
      namespaceResourceWhitelist: spec.namespaceResourceWhitelist ?? undefined,
      namespaceResourceBlacklist: spec.namespaceResourceBlacklist ?? undefined,
      declared: object,
    }),
  ) as Project;
}
