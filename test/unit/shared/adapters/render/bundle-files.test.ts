import { describe, expect, it } from 'vitest';
import { isRemoteReference, requireSafeBundle, resolveWithin } from '#shared/adapters/render/bundle-files.ts';
import { defaultLimits } from '#shared/adapters/render/limits.ts';
import type { RenderBundle } from '#shared/ports/renderer.ts';

const bundle = (...paths: string[]): RenderBundle => ({
  path: '',
  files: paths.map((path) => ({ path, content: Buffer.from('x') })),
  job: { tool: 'directory', manifests: [] },
});

describe('paths of a bundle', () => {
  it('NT-61: resolves references within the bundle and nowhere else', () => {
    expect(resolveWithin('a/b', '../c')).toBe('a/c');
    expect(resolveWithin('a', '/x')).toBe('x');
    expect(resolveWithin('', './x/')).toBe('x');
    expect(resolveWithin('a', '../../x')).toBeUndefined();
  });

  it.each([
    'https://x/y',
    'git::x',
    'git@github.com:a/b',
    'github.com/a/b',
    'oci://x',
    'ssh://x',
    'file:///x',
    'HTTP:x',
  ])('NT-60: knows %s as remote', (reference) => {
    expect(isRemoteReference(reference)).toBe(true);
  });

  it.each(['a.yaml', '../a', 'a:b.yaml', 'github/x', './https'])('knows %s as local', (reference) => {
    expect(isRemoteReference(reference)).toBe(false);
  });

  it('refuses a path that is there twice, and accepts ordinary ones', () => {
    expect(() => requireSafeBundle(bundle('a', 'a'), defaultLimits)).toThrow(/there twice/);
    expect(() =>
      requireSafeBundle(bundle('a b/ü.yaml', '.github/x', '.gitignore', 'a..b'), defaultLimits),
    ).not.toThrow();
  });

  it('LIM-05: limits files and bytes', () => {
    expect(() => requireSafeBundle(bundle('a', 'b'), { ...defaultLimits, files: 1 })).toThrow(/more than 1 files/);
    expect(() => requireSafeBundle(bundle('a', 'b'), { ...defaultLimits, bundleSize: 1 })).toThrow(
      /larger than 1 bytes/,
    );
    expect(() => requireSafeBundle(bundle('a', 'b'), { ...defaultLimits, files: 2, bundleSize: 2 })).not.toThrow();
  });
});
