import { z } from 'zod';
import { HawserError } from '../../errors.ts';
import { defaultPolicy, type Application } from '../application.ts';
import { toId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { cleanPath } from './argo-application.ts';
import { describeProblems, type CompileContext, type Compiled } from './context.ts';
import { durationSeconds } from './duration.ts';

const text = z.string();
const texts = z.record(text, text);
const anyObject = z.record(text, z.unknown());

const Metadata = z.object({ name: z.string().min(1), namespace: text.optional(), labels: texts.optional() });

/** The part of a Flux Kustomization that has an effect here (flux.md §1.2). */
const KustomizationSpec = z.object({
  sourceRef: z.object({ kind: text, name: z.string().min(1), namespace: text.optional() }),
  path: text.optional(),
  interval: text.optional(),
  prune: z.boolean().optional(),
  wait: z.boolean().optional(),
  force: z.boolean().optional(),
  suspend: z.boolean().optional(),
  timeout: text.optional(),
  retryInterval: text.optional(),
  targetNamespace: text.optional(),
  namePrefix: text.optional(),
  nameSuffix: text.optional(),
  commonMetadata: z.object({ labels: texts.optional(), annotations: texts.optional() }).optional(),
  patches: z.array(anyObject).optional(),
  images: z
    .array(z.object({ name: text, newName: text.optional(), newTag: text.optional(), digest: text.optional() }))
    .optional(),
  components: z.array(text).optional(),
  ignoreMissingComponents: z.boolean().optional(),
  dependsOn: z.array(z.object({ name: text, namespace: text.optional(), readyExpr: text.optional() })).optional(),
  healthChecks: z.array(anyObject).optional(),
  healthCheckExprs: z.array(anyObject).optional(),
  postBuild: z.object({ substitute: texts.optional(), substituteFrom: z.array(anyObject).optional() }).optional(),
  decryption: anyObject.optional(),
  kubeConfig: anyObject.optional(),
});

const GitRepositorySpec = z.object({
  url: z.string().regex(/^(http|https|ssh):\/\//, 'must start with http://, https:// or ssh://'),
  ref: z
    .object({
      branch: text.optional(),
      tag: text.optional(),
      semver: text.optional(),
      name: text.optional(),
      commit: text.optional(),
    })
    .optional(),
  suspend: z.boolean().optional(),
});

/** The id of a Flux Kustomization: unique per cluster, namespace and name; the home cluster stays unnamed. */
export function kustomizationId(cluster: string, homeCluster: string, namespace: string, name: string): string {
  return toId([...(cluster === homeCluster ? [] : [cluster]), namespace, name].join('-'));
}

/** Where a Flux Kustomization reads from: `GitRepository` objects only, for now. */
export function sourceRefOf(object: JsonObject): { kind: string; namespace: string; name: string } {
  const metadata = parse(Metadata, object['metadata'], 'metadata');
  const spec = parse(KustomizationSpec, object['spec'], 'spec');
  if (spec.sourceRef.kind !== 'GitRepository') {
    throw new HawserError('unsupported', `spec.sourceRef.kind ${spec.sourceRef.kind} is not supported yet`, {
      hint: 'Use a GitRepository.',
    });
  }
  return {
    kind: 'GitRepository',
    name: spec.sourceRef.name,
    namespace: spec.sourceRef.namespace ?? metadata.namespace ?? 'default',
  };
}

/**
 * Compiles a `kustomize.toolkit.fluxcd.io` Kustomization with its GitRepository.
 * Throws `invalid-input` naming the fields that are wrong, `unsupported` for what Hawser does not run yet.
 */
export function compileFluxKustomization(
  object: JsonObject,
  gitRepository: JsonObject,
  context: CompileContext,
): Compiled {
  const metadata = parse(Metadata, object['metadata'], 'metadata');
  const spec = parse(KustomizationSpec, object['spec'], 'spec');
  const source = parse(GitRepositorySpec, gitRepository['spec'], 'GitRepository spec');
  refuseUnsupported(spec);
  const namespace = metadata.namespace ?? 'default';
  const interval = durationSeconds(spec.interval, 'spec.interval') ?? 600;
  const id = (name: string, inNamespace = namespace) =>
    kustomizationId(context.homeCluster, context.defaultCluster, inNamespace, name);
  const application: Application = {
    id: id(metadata.name),
    kind: 'Kustomization',
    name: metadata.name,
    namespace,
    declared: object,
    project: 'default',
    cluster: context.homeCluster,
    destinationNamespace: spec.targetNamespace ?? '',
    sources: [
      {
        repository: '',
        url: source.url,
        revision: revisionOf(source.ref),
        path: cleanPath(spec.path ?? '.', 'spec'),
        render: { tool: 'flux', flux: fluxOptions(spec) },
      },
    ],
    policy: {
      ...defaultPolicy,
      automated: true,
      prune: spec.prune ?? false,
      selfHeal: true,
      allowEmpty: true,
      suspended: (spec.suspend ?? false) || (source.suspend ?? false),
      wait: spec.wait ?? false,
      force: spec.force ?? false,
      prunePropagation: 'background',
      timeoutSeconds: durationSeconds(spec.timeout, 'spec.timeout') ?? Math.max(30, interval - 30),
      retry: {
        limit: -1,
        seconds: Math.min(durationSeconds(spec.retryInterval, 'spec.retryInterval') ?? interval, 60),
        factor: 1,
        maxSeconds: 600,
      },
    },
    dependsOn: (spec.dependsOn ?? []).map((dependency) => id(dependency.name, dependency.namespace ?? namespace)),
    labels: metadata.labels ?? {},
    ...(context.parent === undefined ? {} : { parent: context.parent }),
  };
  return { application };
}

/** Flux's precedence: commit > name > semver > tag > branch; `master` when nothing is set (flux.md §1.1). */
function revisionOf(ref: z.infer<typeof GitRepositorySpec>['ref']): string {
  if (ref?.commit) return ref.commit;
  if (ref?.name) return ref.name;
  if (ref?.semver) return ref.semver;
  if (ref?.tag) return `refs/tags/${ref.tag}`;
  return `refs/heads/${ref?.branch ?? 'master'}`;
}

function fluxOptions(spec: z.infer<typeof KustomizationSpec>) {
  const {
    targetNamespace,
    namePrefix,
    nameSuffix,
    images,
    patches,
    components,
    ignoreMissingComponents,
    commonMetadata,
  } = spec;
  return JSON.parse(
    JSON.stringify({
      targetNamespace,
      namePrefix,
      nameSuffix,
      images,
      patches,
      components,
      ignoreMissingComponents,
      commonMetadata,
      substitute: spec.postBuild?.substitute,
    }),
  );
}

function refuseUnsupported(spec: z.infer<typeof KustomizationSpec>): void {
  const present = [
    spec.decryption && 'spec.decryption',
    spec.kubeConfig && 'spec.kubeConfig',
    spec.postBuild?.substituteFrom && spec.postBuild.substituteFrom.length > 0 && 'spec.postBuild.substituteFrom',
    spec.healthCheckExprs && spec.healthCheckExprs.length > 0 && 'spec.healthCheckExprs',
    spec.dependsOn?.some((dependency) => dependency.readyExpr) && 'spec.dependsOn[].readyExpr',
  ].filter(Boolean);
  if (present.length > 0) {
    throw new HawserError(
      'unsupported',
      `${present.join(', ')} ${present.length > 1 ? 'are' : 'is'} not supported yet`,
      {
        hint: 'Remove it, or keep Flux for this Kustomization for now.',
      },
    );
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new HawserError('invalid-input', describeProblems(result.error, where), { hint: 'Correct these fields.' });
}
