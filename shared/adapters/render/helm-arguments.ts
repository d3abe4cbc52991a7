import picomatch from 'picomatch';
import type { HelmOptions } from '../../domain/application.ts';
import { HawserError } from '../../errors.ts';
import type { RenderTool } from '../../ports/renderer.ts';
import { join } from 'node:path';
import { isRemoteReference, resolveWithin } from './bundle-files.ts';
import type { RenderContext } from './render-context.ts';

/** helm's own limits on `--set` names. */
const maxIndex = 65_536;
const maxDepth = 30;
const maxArgument = 100_000;

/**
 * The command line of `helm template` as Argo CD builds it (argo-cd.md §2.3): value files, then values, then parameters.
 * `write` puts a file beside the bundle and returns its path. Every user string is the value of a flag or, for the
 * release name, checked and after `--` (NT-40, NT-45, NT-49).
 */
export function helmArguments(
  context: RenderContext,
  job: Extract<RenderTool, { tool: 'helm' }>,
  write: (name: string, content: string | Uint8Array) => string,
): string[] {
  const { options } = job;
  const namespace = options.namespace ?? job.namespace;
  const kubeVersion = options.kubeVersion ?? job.kubeVersion;
  return [
    'template',
    ...(namespace === ''
      ? []
      : [`--namespace=${checked('namespace', namespace, /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/)}`]),
    ...(kubeVersion === ''
      ? []
      : [`--kube-version=${checked('kubeVersion', kubeVersion, /^v?\d+\.\d+(?:\.\d+)?(?:[-+][\w.+-]{1,60})?$/)}`]),
    ...(options.apiVersions ?? job.apiVersions).map(
      (version) => `--api-versions=${checked('apiVersions', version, /^[\w.-]+(?:\/[\w.-]+){0,2}$/)}`,
    ),
    ...(options.skipCrds === true ? [] : ['--include-crds']),
    ...(options.skipTests === true ? ['--skip-tests'] : []),
    ...(options.skipSchemaValidation === true ? ['--skip-schema-validation'] : []),
    ...valueFileArguments(context, options, write),
    ...inlineValueArguments(options, write),
    ...parameterArguments(options),
    ...fileParameterArguments(context, options),
    '--',
    checked('releaseName', options.releaseName ?? job.releaseName, releaseName),
    join(context.source, context.path),
  ];
}

/** helm's rule for release names: at most 53 characters of DNS labels. It also keeps templates out of `--name-template`’s place. */
const releaseName = /^(?=.{1,53}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function valueFileArguments(
  context: RenderContext,
  options: HelmOptions,
  write: (name: string, content: Uint8Array) => string,
): string[] {
  return valueFiles(context, options).map((path, index) => {
    const absolute = join(context.source, path);
    // helm splits this flag at commas and quotes.
    const usable = /[,"]/.test(path)
      ? write(`values-file-${index}.yaml`, context.files.get(path) ?? new Uint8Array())
      : absolute;
    return `--values=${usable}`;
  });
}

/** Paths within the bundle, in order; globs in lexical order, without what is listed explicitly. */
function valueFiles(context: RenderContext, options: HelmOptions): string[] {
  const found: string[] = [];
  const listed = new Set((options.valueFiles ?? []).map((reference) => resolveWithin(context.path, reference)));
  for (const reference of options.valueFiles ?? []) {
    const path = requireInside(context, reference, 'value file');
    if (context.files.has(path)) found.push(path);
    else {
      const matches = expandGlob(context, path).filter((match) => !listed.has(match));
      if (matches.length === 0 && options.ignoreMissingValueFiles !== true) throw missing(reference, 'value file');
      found.push(...matches);
    }
  }
  return found;
}

function expandGlob(context: RenderContext, pattern: string): string[] {
  if (!/[*?[{]/.test(pattern) || pattern.length > 256) return [];
  const matches = picomatch(pattern, { nobracket: false, noextglob: true });
  return [...context.files.keys()].filter((path) => matches(path)).sort();
}

function inlineValueArguments(options: HelmOptions, write: (name: string, content: string) => string): string[] {
  const text = options.valuesObject === undefined ? options.values : JSON.stringify(options.valuesObject);
  return text === undefined || text.trim() === '' ? [] : [`--values=${write('inline-values.yaml', text)}`];
}

function parameterArguments(options: HelmOptions): string[] {
  return (options.parameters ?? []).map(({ name, value, forceString }) => {
    const argument = `${requireParameterName(name)}=${escapeCommas(value)}`;
    if (argument.length > maxArgument) throw refused('parameter', name, `is longer than ${maxArgument} characters`);
    return `${forceString === true ? '--set-string' : '--set'}=${argument}`;
  });
}

function fileParameterArguments(context: RenderContext, options: HelmOptions): string[] {
  return (options.fileParameters ?? []).map(({ name, path: reference }) => {
    const path = requireInside(context, reference, 'file of a parameter');
    if (!context.files.has(path)) throw missing(reference, 'file of a parameter');
    return `--set-file=${requireParameterName(name)}=${join(context.source, path).replaceAll(/[\\,]/g, String.raw`\$&`)}`;
  });
}

/** Argo CD escapes commas unless the value is a `{list}`. */
function escapeCommas(value: string): string {
  return value.startsWith('{') && value.endsWith('}') ? value : value.replaceAll(/([^\\]),/g, String.raw`$1\,`);
}

/** `a.b[0].c`, dots escaped with a backslash; huge indexes and depths are refused before helm sees them (NT-45). */
function requireParameterName(name: string): string {
  if (name === '' || name.length > 1024) throw refused('parameter', name, 'is empty or longer than 1024 characters');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name) || /(?:^|[^\\])[,=]/.test(name))
    throw refused('parameter', name, 'holds a comma, an equals sign or a control character');
  for (const [, index = ''] of name.matchAll(/\[([^\]]*)\]/g)) {
    if (!/^\d{1,6}$/.test(index) || Number(index) > maxIndex)
      throw refused('parameter', name, `has an index that is no number up to ${maxIndex}`);
  }
  if (name.replaceAll(/\\./g, '').split(/[.[]/).length > maxDepth)
    throw refused('parameter', name, `is deeper than ${maxDepth} levels`);
  return name;
}

function requireInside(context: RenderContext, reference: string, what: string): string {
  if (reference.startsWith('$'))
    throw refused(what, reference, 'refers to another source, which this render does not have');
  const path = isRemoteReference(reference) ? undefined : resolveWithin(context.path, reference);
  if (path === undefined || path === '') throw refused(what, reference, 'is not a file inside the repository');
  return path;
}

function checked(what: string, value: string, pattern: RegExp): string {
  if (pattern.test(value)) return value;
  throw refused(what, value, 'is not valid');
}

function missing(reference: string, what: string): HawserError {
  return new HawserError('render-failed', `${what} ${JSON.stringify(reference.slice(0, 200))} does not exist`, {
    data: { path: reference.slice(0, 500) },
    hint: 'Paths are relative to the chart; set ignoreMissingValueFiles where a value file may be missing.',
  });
}

function refused(what: string, value: string, why: string): HawserError {
  return new HawserError('render-failed', `${what} ${JSON.stringify(value.slice(0, 200))} ${why}`, { data: { what } });
}
