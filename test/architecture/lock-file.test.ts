import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-tree.ts';

interface Entry {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  inBundle?: boolean;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Entry>;
};
const entries = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.link !== true);

describe('the lock file', () => {
  it("names nobody's registry", () => {
    expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([]);
  });

  it('has a version and a hash for every package', () => {
    const loose = entries.filter(
      ([, entry]) => entry.version === undefined || (entry.inBundle !== true && entry.integrity === undefined),
    );

    expect(loose.map(([path]) => path)).toEqual([]);
    expect(entries.length).toBeGreaterThan(100);
  });

  it('holds the native parts of every platform, so that npm ci works on machines that this one is not', () => {
    const missing = entries.flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !placesOf(path, name).some((place) => place in packages))
        .map((name) => `${path} lacks ${name}`),
    );

    expect(missing).toEqual([]);
  });
});

/** Where Node would find a dependency of a package: in its own folder, then in those above. */
function placesOf(path: string, name: string): string[] {
  const above = path
    .split('/node_modules/')
    .map((_, index, parts) => parts.slice(0, parts.length - index).join('/node_modules/'));
  return [...above.map((folder) => `${folder}/node_modules/${name}`), `node_modules/${name}`];
}
