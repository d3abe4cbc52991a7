import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalText, floatText, type JsonTree } from '#shared/adapters/render/json-tree.ts';
import { defaultLimits } from '#shared/adapters/render/limits.ts';
import { prepareToolchain } from '#shared/adapters/render/toolchain.ts';
import { splitDocuments } from '#shared/adapters/render/yaml-subset.ts';
import { yamlToTree } from '#shared/adapters/render/yaml-to-json.ts';
import { askKubectl } from '#test/kit/kubectl-reader.ts';
import { deployment } from '#test/fixtures/render/bundles.ts';
import { yamlCorpus, yamlPieces } from '#test/fixtures/render/yaml-corpus.ts';

/**
 * NT-171: what we convert in process is byte for byte what the pinned kubectl reads; the rest is left to kubectl itself.
 * kubectl answers in one run for all texts that we claim to understand, so one text that it refuses fails the run.
 */
describe('YAML as kubectl reads it', { timeout: 120_000 }, () => {
  let kubectl: string;
  beforeAll(async () => {
    ({ kubectl } = await prepareToolchain({ cacheDir: join(tmpdir(), 'hawser-test-tools') }));
  }, 60_000);

  /** An object that holds the text; undefined where the text is not claimed. */
  const claim = (text: string, index: number): { text: string; tree: JsonTree } | undefined => {
    const object = `apiVersion: v1\nkind: Probe\nmetadata: {name: p${index}}\n${text}`;
    // As a stream's splitter would hand it over.
    const [only, ...more] = splitDocuments(object);
    if (only === undefined || more.length > 0) return undefined;
    const tree = yamlToTree(only.text, defaultLimits);
    // A corpus text may replace the kind, and kubectl takes no object without one.
    const isObject = tree instanceof Map && tree.get('kind') === 'Probe';
    return isObject ? { text: only.text, tree } : undefined;
  };

  const compare = (texts: string[]): number => {
    const claimed = texts.map(claim).filter((entry) => entry !== undefined);
    const answers = askKubectl(
      kubectl,
      claimed.map(({ text }) => text),
    );
    expect(answers).toHaveLength(claimed.length);
    const differing = claimed
      .map(({ text, tree }, index) => ({ text, ours: canonicalText(asPrinted(tree)), theirs: answers[index] }))
      .filter(({ ours, theirs }) => ours !== theirs);
    expect(differing).toEqual([]);
    return claimed.length;
  };

  it('agrees on every scalar in every position', () => {
    const claimed = compare(yamlCorpus);
    // What is claimed must stay most of it, or the fast path is none.
    expect(claimed).toBeGreaterThan(yamlCorpus.length / 2);
  });

  it('agrees on random documents', () => {
    const pieces = fc
      .array(fc.constantFrom(...yamlPieces), { minLength: 1, maxLength: 12 })
      .map((parts) => `v:\n  ${parts.join('')}\n`);
    const mutated = fc
      .tuple(fc.constantFrom(...yamlCorpus), fc.nat(), fc.constantFrom(...yamlPieces))
      .map(([text, at, piece]) => `${text.slice(0, at % text.length)}${piece}${text.slice(at % text.length)}`);
    const texts = fc.sample(fc.oneof(pieces, mutated), { numRuns: 12_000, seed: 4711 });
    expect(compare(texts)).toBeGreaterThan(1000);
  });

  it('agrees on random values in every style of quoting', () => {
    const scalar = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.stringMatching(/^[-+]?[0-9_.eExXobB]{1,12}$/),
    );
    const style = fc.constantFrom(
      (text: string) => `v: ${JSON.stringify(text)}\n`,
      (text: string) => `v: '${text.replaceAll("'", "''").replaceAll('\n', '\n\n  ')}'\n`,
      (text: string) => `v: ${text}\n`,
      (text: string) => `v: |-\n  ${text.replaceAll('\n', '\n  ')}\n`,
      (text: string) => `v: >+\n  ${text.replaceAll('\n', '\n  ')}\n\n`,
      (text: string) => `? ${JSON.stringify(text)}\n: v\n`,
      (text: string) => `${JSON.stringify(text)}: v\n`,
      (text: string) => `v: [${JSON.stringify(text)}, {k: ${JSON.stringify(text)}}]\n`,
    );
    const texts = fc.sample(
      fc.tuple(scalar, style).map(([text, write]) => write(text)),
      { numRuns: 8000, seed: 815 },
    );
    expect(compare(texts)).toBeGreaterThan(3000);
  });

  it('agrees on long strings, comments, CRLF and a whole Deployment', () => {
    const long = 'word '.repeat(4000).trim();
    const texts = [
      deployment.replace(/^apiVersion.*\nkind.*\nmetadata:\n {2}name: web\n/, ''),
      `v: ${long}\n`,
      `v: "${long}"\n`,
      `v: |\n  ${long}\n  ${long}\n`,
      `v: >\n  ${Array.from({ length: 50 }, () => 'folded words here').join('\n  ')}\n`,
      `# a\nv: 1 # b\n# c\nw:\n  # d\n  - x # e\n\n  # f\n  - y\n# g\n`,
      'v: |\r\n  a\r\n  b\r\nw: c\r\n',
      `v: "${'é日本😀'.repeat(500)}"\n`,
    ];
    expect(compare(texts)).toBe(texts.length);
  });
});

/** kubectl decodes what it read before it prints it: integers beyond int64 come out as floats, where we keep them. */
function asPrinted(tree: JsonTree): JsonTree {
  if (tree === null || typeof tree !== 'object') return tree;
  if (Array.isArray(tree)) return tree.map(asPrinted);
  if (tree instanceof Map) return new Map([...tree].map(([key, value]) => [key, asPrinted(value)]));
  const isBig = /^\d+$/.test(tree.digits) && BigInt(tree.digits) >= 2n ** 63n;
  return isBig ? { digits: floatText(Number(tree.digits)) ?? '' } : tree;
}
