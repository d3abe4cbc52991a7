import { HawserError } from '../../errors.ts';
import type { RenderBundle } from '../../ports/renderer.ts';
import { limitError, type RenderLimits } from './limits.ts';

/** File contents by path within the bundle. */
export type BundleFiles = Map<string, Uint8Array>;

/** Throws `unsafe-path` for names that could leave the job directory or alias `.git` (NT-21, NT-23), `render-limit` past LIM-05. */
export function requireSafeBundle(bundle: RenderBundle, limits: RenderLimits): void {
  if (bundle.files.length > limits.files) throw limitError('files', limits.files);
  let size = 0;
  const seen = new Set<string>();
  for (const file of bundle.files) {
    requireSafePath(file.path, 'file');
    if (seen.has(file.path)) throw unsafe(file.path, 'file', 'is there twice');
    seen.add(file.path);
    size += file.content.byteLength;
  }
  if (size > limits.bundleSize) throw limitError('bundleSize', limits.bundleSize);
  if (bundle.path !== '' && bundle.path !== '.') requireSafePath(bundle.path, 'application path');
  if ('manifests' in bundle.job) for (const manifest of bundle.job.manifests) requireSafePath(manifest, 'manifest');
}

/** Throws `unsafe-path` unless `path` is relative, normalised, and free of names that some file system reads differently. */
export function requireSafePath(path: string, what: string): void {
  const bytes = Buffer.byteLength(path);
  if (path === '' || bytes > 512) throw unsafe(path, what, 'is empty or longer than 512 bytes');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(path) || !path.isWellFormed())
    throw unsafe(path, what, 'holds a control character or a backslash');
  const segments = path.split('/');
  if (segments.length > 32) throw unsafe(path, what, 'is deeper than 32 folders');
  for (const segment of segments) {
    if (segment === '' || segment === '.' || segment === '..')
      throw unsafe(path, what, 'is absolute, not normalised, or leaves the repository');
    if (Buffer.byteLength(segment) > 255) throw unsafe(path, what, 'has a name longer than 255 bytes');
    if (isGitAlias(segment)) throw unsafe(path, what, 'names Git’s own folder');
  }
}

/**
 * Resolves what a user's option or file refers to: relative to `from`, or from the bundle's root when it starts with `/`.
 * undefined when it would leave the bundle.
 */
export function resolveWithin(from: string, reference: string): string | undefined {
  const segments = reference.startsWith('/') || from === '' ? [] : from.split('/');
  for (const segment of reference.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') segments.push(segment);
    else if (segments.pop() === undefined) return undefined;
  }
  return segments.join('/');
}

/** True for references that a tool would fetch: `scheme:`, `host:path` of scp, `user@host:`. */
export function isRemoteReference(reference: string): boolean {
  return /^[a-z][a-z0-9+.-]*:(?:\/|$)|^https?:|^(?:git|file|ssh)::?|^[^/]*@[^/]*:|^github\.com[/:]/i.test(
    reference.trim(),
  );
}

function isGitAlias(segment: string): boolean {
  // NTFS and HFS+ spellings: streams, short names, case, trailing dots and blanks, invisible characters.
  const visible = segment
    .replaceAll(/\p{Cf}/gu, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '');
  return visible === '.git' || /^git~\d+$/.test(visible);
}

function unsafe(path: string, what: string, why: string): HawserError {
  return new HawserError('unsafe-path', `${what} ${JSON.stringify(path.slice(0, 120))} ${why}`, {
    data: { path: path.slice(0, 512) },
    hint: 'Use a relative path inside the repository.',
  });
}
