import { z } from 'zod';
import { HawserError } from '../../errors.ts';
import { defaultPolicy, type Application, type RenderOptions, type SyncPolicy } from '../application.ts';
import { toId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { durationSeconds } from './duration.ts';
import { describeProblems, type CompileContext, type Compiled } from './context.ts';

const text = z.string();
const texts = z.record(text, text);
const anyObject = z.record(text, z.unknown());

const Helm = z.object({
  releaseName: text.optional(),
  valueFiles: z.array(text).optional(),
  ignoreMissingValueFiles: z.boolean().optional(),
  values: text.optional(),
  valuesObject: anyObject.optional(),
  parameters: z
    .array(z.object({ name: text, value: z.coerce.string().default(''), forceString: z.boolean().optional() }))
    .optional(),
  fileParameters: z.array(z.object({ name: text, path: text })).optional(),
  skipCrds: z.boolean().optional(),
  skipTests: z.boolean().optional(),
  skipSchemaValidation: z.boolean().optional(),
  namespace: text.optional(),
  kubeVersion: text.optional(),
  apiVersions: z.array(text).optional(),
});

const Kustomize = z.object({
  namePrefix: text.optional(),
  nameSuffix: text.optional(),
  images: z.array(text).optional(),
  replicas: z.array(z.object({ name: text, count: z.coerce.number().int() })).optional(),
  commonLabels: texts.optional(),
  commonAnnotations: texts.optional(),
  commonAnnotationsEnvsubst: z.boolean().optional(),
  forceCommonLabels: z.boolean().optional(),
  forceCommonAnnotations: z.boolean().optional(),
  labelWithoutSelector: z.boolean().optional(),
  labelIncludeTemplates: z.boolean().optional(),
  namespace: text.optional(),
  patches: z.array(anyObject).optional(),
  components: z.array(text).optional(),
  ignoreMissingComponents: z.boolean().optional(),
});

const Directory = z.object({
  recurse: z.boolean().optional(),
  include: text.optional(),
  exclude: text.optional(),
  jsonnet: anyObject.optional(),
});

const SourceSpec = z.object({
  repoURL: text.min(1),
  path: text.optional(),
  targetRevision: text.optional(),
  chart: text.optional(),
  ref: text.optional(),
  helm: Helm.optional(),
  kustomize: Kustomize.optional(),
  directory: Directory.optional(),
  plugin: z.unknown().optional(),
});

const Metadata = z.object({
  name: z.string().min(1),
  namespace: text.optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  finalizers: z.array(text).optional(),
});

const IgnoreDifferences = z.object({
  group: text.optional(),
  kind: text.optional(),
  name: text.optional(),
  namespace: text.optional(),
  jsonPointers: z.array(text).optional(),
  jqPathExpressions: z.array(text).optional(),
  managedFieldsManagers: z.array(text).optional(),
});

/** Argo CD's `spec`, the part that has an effect here (argo-cd.md §1.1, §1.2). */
const ApplicationSpec = z.object({
  project: text.optional(),
  source: SourceSpec.optional(),
  sources: z.array(SourceSpec).optional(),
  sourceHydrator: z.unknown().optional(),
  destination: z.object({ server: text.optional(), name: text.optional(), namespace: text.optional() }).default({}),
  syncPolicy: z
    .object({
      automated: z
        .object({
          enabled: z.boolean().optional(),
          prune: z.boolean().optional(),
          selfHeal: z.boolean().optional(),
          allowEmpty: z.boolean().optional(),
        })
        .nullish(),
      syncOptions: z.array(text).nullish(),
      retry: z
        .object({
          limit: z.coerce.number().int().optional(),
          backoff: z
            .object({ duration: text.optional(), factor: z.coerce.number().optional(), maxDuration: text.optional() })
            .optional(),
        })
        .nullish(),
      managedNamespaceMetadata: z.object({ labels: texts.optional(), annotations: texts.optional() }).nullish(),
    })
    .nullish(),
  ignoreDifferences: z.array(IgnoreDifferences).nullish(),
});
type ApplicationSpec = z.infer<typeof ApplicationSpec>;
type SourceSpec = z.infer<typeof SourceSpec>;

/** The id of an Argo CD Application: its name, with the namespace in front where that is not Argo CD's own. */
export function argoApplicationId(namespace: string, name: string): string {
  return namespace === '' || namespace === 'argocd' ? toId(name) : toId(`${namespace}-${name}`);
}

/**
 * Compiles an `argoproj.io/v1alpha1` Application. Sources come out with an empty repository id (see `Compiled.urls`).
 * Throws `invalid-input` naming the fields that are wrong, `unsupported` for what Hawser does not run yet.
 */
export function compileArgoApplication(object: JsonObject, context: CompileContext): Compiled {
  const metadata = parse(Metadata, object['metadata'], 'metadata');
  const spec = parse(ApplicationSpec, object['spec'], 'spec');
  const sources = spec.sources && spec.sources.length > 0 ? spec.sources : spec.source ? [spec.source] : [];
  if (spec.sourceHydrator !== undefined) throw unsupported('spec.sourceHydrator');
  if (sources.length === 0) {
    throw new HawserError('invalid-input', 'spec.source is missing', {
      hint: 'Set spec.source.repoURL and spec.source.path.',
    });
  }
  const policy = compilePolicy(spec);
  const application: Application = {
    id: argoApplicationId(metadata.namespace ?? 'argocd', metadata.name),
    kind: 'Application',
    name: metadata.name,
    namespace: metadata.namespace ?? 'argocd',
    declared: object,
    project: spec.project ?? 'default',
    cluster: context.resolveCluster(spec.destination),
    destinationNamespace: spec.destination.namespace ?? '',
    sources: sources.map((source, index) => compileSource(source, index)),
    policy,
    dependsOn: [],
    labels: metadata.labels ?? {},
    ...(context.parent === undefined ? {} : { parent: context.parent }),
  };
  return { application };
}

function compileSource(source: SourceSpec, index: number): Application['sources'][number] {
  const where = `spec.source${index > 0 ? `s[${index}]` : ''}`;
  if (source.chart !== undefined) throw unsupported(`${where}.chart (charts from Helm repositories)`);
  if (source.repoURL.startsWith('oci://')) throw unsupported(`${where}.repoURL with oci://`);
  if (source.plugin !== undefined) throw unsupported(`${where}.plugin`);
  if (source.ref !== undefined) throw unsupported(`${where}.ref (values from another source)`);
  if (source.directory?.jsonnet !== undefined && Object.keys(source.directory.jsonnet).length > 0)
    throw unsupported(`${where}.directory.jsonnet`);
  return {
    repository: '',
    url: source.repoURL,
    revision: source.targetRevision ?? 'HEAD',
    path: cleanPath(source.path ?? '.', where),
    render: renderOptions(source, where),
  };
}

function renderOptions(source: SourceSpec, where: string): RenderOptions {
  const explicit = [source.helm && 'helm', source.kustomize && 'kustomize', source.directory && 'directory'].filter(
    Boolean,
  );
  if (explicit.length > 1) {
    throw new HawserError(
      'invalid-input',
      `${where} has more than one of helm, kustomize, directory (${explicit.join(', ')})`,
      {
        hint: 'Keep the block of the one tool that renders this path.',
      },
    );
  }
  const directory = {
    recurse: source.directory?.recurse ?? false,
    include: source.directory?.include ?? '',
    exclude: source.directory?.exclude ?? '',
  };
  // JSON in, JSON out: zod has checked the shapes; `undefined` members only mean "not set".
  if (source.helm) return { tool: 'helm', helm: JSON.parse(JSON.stringify(source.helm)) };
  if (source.kustomize) return { tool: 'kustomize', kustomize: JSON.parse(JSON.stringify(source.kustomize)) };
  return { tool: source.directory ? 'directory' : 'auto', directory };
}

function compilePolicy(spec: ApplicationSpec): SyncPolicy {
  const automated = spec.syncPolicy?.automated;
  const options = new Map<string, string>();
  for (const option of spec.syncPolicy?.syncOptions ?? []) {
    const [name = '', value = ''] = option.split('=', 2);
    options.set(name, value);
  }
  const on = (name: string) => options.get(name) === 'true';
  const retry = spec.syncPolicy?.retry;
  const propagation = options.get('PrunePropagationPolicy');
  const namespaceMetadata = spec.syncPolicy?.managedNamespaceMetadata;
  return {
    ...defaultPolicy,
    automated: automated != null && automated.enabled !== false,
    prune: automated?.prune ?? false,
    selfHeal: automated?.selfHeal ?? false,
    allowEmpty: automated?.allowEmpty ?? false,
    createNamespace: on('CreateNamespace'),
    pruneLast: on('PruneLast'),
    replace: on('Replace'),
    force: on('Force'),
    failOnSharedResource: on('FailOnSharedResource'),
    respectIgnoreDifferences: on('RespectIgnoreDifferences'),
    prunePropagation: propagation === 'background' || propagation === 'orphan' ? propagation : 'foreground',
    retry: {
      limit: retry?.limit ?? defaultPolicy.retry.limit,
      seconds: durationSeconds(retry?.backoff?.duration, 'spec.syncPolicy.retry.backoff.duration') ?? 5,
      factor: retry?.backoff?.factor ?? 2,
      maxSeconds: durationSeconds(retry?.backoff?.maxDuration, 'spec.syncPolicy.retry.backoff.maxDuration') ?? 180,
    },
    ignoreDifferences: JSON.parse(JSON.stringify(spec.ignoreDifferences ?? [])),
    ...(namespaceMetadata ? { namespaceMetadata: JSON.parse(JSON.stringify(namespaceMetadata)) } : {}),
  };
}

/** Normalises a path in a repository; refuses what leaves it (NT-21). */
export function cleanPath(path: string, where: string): string {
  const clean = path.replace(/^\.\/+/, '').replace(/\/+$/, '');
  const parts = clean.split('/');
  if (clean.startsWith('/') || clean.includes('\\') || clean.includes('\0') || parts.includes('..')) {
    throw new HawserError('unsafe-path', `${where}.path ${JSON.stringify(path)} leads outside the repository`, {
      hint: "Use a path below the repository's root, without '..' and without a leading slash.",
    });
  }
  return parts.filter((part) => part !== '.' && part !== '').join('/');
}

function parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new HawserError('invalid-input', describeProblems(result.error, where), { hint: 'Correct these fields.' });
}

function unsupported(what: string): HawserError {
  return new HawserError('unsupported', `${what} is not supported yet`, {
    hint: 'Hawser renders paths in Git repositories: directories, Kustomize and Helm charts.',
  });
}
