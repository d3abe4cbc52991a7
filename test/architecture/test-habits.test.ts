import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tiers } from '#test/runner/tiers.ts';
import { root, sourceFiles } from './source-tree.ts';

const files = sourceFiles();
const tests = files.filter(({ path }) => path.startsWith('test/'));
const testFiles = tests.filter(({ path }) => /\.test\.tsx?$/.test(path));

/** Ports that only take: there is nothing to ask them, so nothing to agree on. */
const withoutContract: Record<string, string> = {
  log: 'takes lines and gives nothing back',
  metrics: 'takes numbers and gives nothing back',
  hub: 'one adapter, agent/hub, tested against the real API',
  'agent-access': 'one adapter, tested against an emulated STS and by what its policies allow',
  'issuer-keys': 'one adapter, tested against a host that behaves and misbehaves as issuers do',
};

describe('tests', () => {
  it('are never switched off or singled out; what cannot run here says why with context.skip', () => {
    const found = tests.flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?:it|test|describe)\.(only|todo|skip|skipIf|runIf)\b/g)].map(
        (match) => `${path}: ${match[0]}`,
      ),
    );

    expect(found.filter((line) => !line.startsWith('test/architecture/test-habits'))).toEqual([]);
  });

  it('mock nothing of ours: dependencies are handed in', () => {
    expect(tests.filter(({ text }) => /\bvi\.(mock|doMock)\(/.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('belong to a tier', () => {
    const folders = new Set(tiers.map(({ name }) => name));

    expect(testFiles.filter(({ path }) => !folders.has(path.split('/')[1] ?? '')).map(({ path }) => path)).toEqual([]);
  });

  it('stand where the source they test stands', () => {
    const mirrored = testFiles.filter(({ path }) => path.startsWith('test/unit/'));
    const astray = mirrored.filter(({ path }) => {
      const folder = path.replace('test/unit/', '').split('/').slice(0, -1).join('/');
      return !existsSync(join(root, folder)) && folder !== 'test/runner';
    });

    expect(astray.map(({ path }) => path)).toEqual([]);
  });

  it('are named after behaviour, not after intentions', () => {
    const found = tests.flatMap(({ path, text }) =>
      [
        ...text.matchAll(
          /\b(?:it|test)(?:\.each\([^)]*\))?\(\s*['"`](should |works?['"`]|works (fine|correctly|as)|happy)/gi,
        ),
      ].map((match) => `${path}: ${match[0]}`),
    );

    expect(found).toEqual([]);
  });

  it('reach every file of the domain', () => {
    const edges = new Map(
      files.map((file) => [file.path, file.imports.filter(({ typeOnly }) => !typeOnly).map(({ to }) => to)]),
    );
    const reached = new Set(
      testFiles.filter(({ path }) => /^test\/(unit|contract)\//.test(path)).map(({ path }) => path),
    );
    for (const path of reached) for (const to of edges.get(path) ?? []) if (edges.has(to)) reached.add(to);
    const domain = files.filter(({ path, functions }) => path.startsWith('shared/domain/') && functions.length > 0);

    expect(domain.filter(({ path }) => !reached.has(path)).map(({ path }) => path)).toEqual([]);
  });
});

describe('contracts', () => {
  const contracts = tests.filter(({ path }) => path.endsWith('.contract.ts'));

  it('hold for every port', () => {
    const ports = files
      .filter(({ path }) => path.startsWith('shared/ports/'))
      .map(({ path }) => path.replace(/^.*\/|\.ts$/g, ''));
    const missing = ports.filter(
      (port) => !(port in withoutContract) && !existsSync(join(root, `test/contract/${port}.contract.ts`)),
    );

    expect(missing).toEqual([]);
    expect(Object.keys(withoutContract).filter((port) => !ports.includes(port))).toEqual([]);
  });

  it('are run by an adapter', () => {
    const run = new Set(testFiles.flatMap((file) => file.imports.map(({ to }) => to)));

    expect(contracts.filter(({ path }) => !run.has(path)).map(({ path }) => path)).toEqual([]);
  });
});
