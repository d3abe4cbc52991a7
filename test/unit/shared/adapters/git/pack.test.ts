import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { bytesSource, fileSource } from '#shared/adapters/git/byte-source.ts';
import { applyDelta, deltaTargetSize } from '#shared/adapters/git/delta.ts';
import { oidOf, parseCommit, parseTree } from '#shared/adapters/git/git-object.ts';
import { inflateAt, skipAt } from '#shared/adapters/git/inflate.ts';
import { defaultGitLimits } from '#shared/adapters/git/limits.ts';
import { encodeEntryHead, readEntryHead } from '#shared/adapters/git/pack-entry.ts';
import { readPack } from '#shared/adapters/git/pack-reader.ts';
import type { PackedObject } from '#shared/adapters/git/pack-reader.ts';
import { openTestRepository } from '#test/kit/git-repository.ts';

const root = mkdtempSync(join(tmpdir(), 'hawser-pack-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function packOf(...entries: Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  head.write('PACK');
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(entries.length, 8);
  const body = Buffer.concat([head, ...entries]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

async function objectsOf(pack: Buffer, base: Map<string, Buffer> = new Map(), limits = defaultGitLimits) {
  const objects: PackedObject[] = [];
  const report = await readPack(bytesSource(pack), {
    limits,
    base: (oid) => (base.has(oid) ? { type: 'blob', content: base.get(oid) ?? Buffer.alloc(0) } : undefined),
    visit: (object) => objects.push(object),
  });
  return { objects, report };
}

function blob(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([encodeEntryHead('blob', bytes.length), deflateSync(bytes)]);
}

/** A delta that copies the whole base and appends a text. */
function appending(base: Buffer, text: string): Buffer {
  const size = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...size(value >> 7)]);
  const copy = [0x80 | 0x10 | 0x20, base.length & 255, base.length >> 8];
  return Buffer.from([
    ...size(base.length),
    ...size(base.length + text.length),
    ...copy,
    text.length,
    ...Buffer.from(text),
  ]);
}

function referenceDelta(base: string, delta: Buffer): Buffer {
  const head = encodeEntryHead('blob', delta.length);
  head[0] = ((head[0] ?? 0) & 0x8f) | (7 << 4);
  return Buffer.concat([head, Buffer.from(base, 'hex'), deflateSync(delta)]);
}

describe('packs', () => {
  it('that git writes are read as git reads them: deltas by offset and by id, in memory and from a file', async () => {
    const repository = openTestRepository(join(root, 'r.git'));
    const text = Array.from({ length: 300 }, (_, index) => `line ${index} ${Math.sin(index)}\n`);
    for (let round = 0; round < 30; round += 1) {
      text[round * 3] = `changed in ${round}\n`;
      repository.commit({ files: { 'dir/file': text.join(''), [`other/${round}`]: `${round}` } });
    }
    const expected = repository
      .git('cat-file', '--batch-all-objects', '--batch-check=%(objectname) %(objecttype) %(objectsize)')
      .split('\n')
      .sort();
    for (const option of ['--delta-base-offset', '--no-reuse-delta']) {
      const out = execFileSync(
        'git',
        ['-C', repository.path, 'pack-objects', '--all', '--stdout', '-q', option, '--window=50', '--depth=50'],
        { input: '', maxBuffer: 1e8 },
      );
      const path = join(root, 'pack');
      execFileSync('tee', [path], { input: out });
      for (const source of [bytesSource(out), fileSource(path, readFileSync(path).length)]) {
        const seen: string[] = [];
        await readPack(source, {
          limits: defaultGitLimits,
          base: () => undefined,
          visit: ({ oid, type, content }) => seen.push(`${oid} ${type} ${content.length}`),
        });
        expect(seen.sort()).toEqual(expected);
        source.dispose();
      }
    }
  });

  it('that are thin are completed with what is at hand; what has no base is counted, not made up', async () => {
    const base = Buffer.from('the base of it all');
    const oid = oidOf('blob', base);
    const pack = packOf(
      referenceDelta(oid, appending(base, ' and more')),
      referenceDelta('f'.repeat(40), appending(base, ' nothing')),
    );
    const { objects, report } = await objectsOf(pack, new Map([[oid, base]]));
    expect(objects.map(({ content }) => content.toString())).toEqual(['the base of it all and more']);
    expect(report).toEqual({ objects: 1, unresolved: 1, oversized: 0 });
  });

  it('whose deltas point in a circle, forward or at themselves give nothing', async () => {
    const delta = appending(Buffer.from('x'), 'y');
    const oid = oidOf('blob', Buffer.from('xy'));
    const { objects, report } = await objectsOf(packOf(referenceDelta(oid, delta)));
    expect(objects).toEqual([]);
    expect(report.unresolved).toBe(1);
  });

  it('leave out files past LIM-06, also those that a delta makes, and refuse other objects that are too large', async () => {
    const limits = { ...defaultGitLimits, blobBytes: 100, treeBytes: 200 };
    const base = Buffer.from('b'.repeat(90));
    const pack = packOf(
      blob('x'.repeat(101)),
      blob(base),
      referenceDelta(oidOf('blob', base), appending(base, 'c'.repeat(50))),
      blob('small'),
    );
    const { objects, report } = await objectsOf(pack, new Map(), limits);
    expect(objects.map(({ content }) => content.length)).toEqual([90, 5]);
    expect(report.oversized).toBe(2);
    const tree = Buffer.concat([encodeEntryHead('tree', 300), deflateSync(Buffer.alloc(300))]);
    await expect(objectsOf(packOf(tree), new Map(), limits)).rejects.toMatchObject({ code: 'source-too-large' });
    await expect(
      objectsOf(packOf(blob('x'.repeat(50))), new Map(), { ...limits, unpackedBytes: 49 }),
    ).rejects.toMatchObject({ code: 'source-too-large' });
  });

  it.each([
    ['claims too little', (bytes: Buffer) => Buffer.concat([encodeEntryHead('blob', 3), deflateSync(bytes)])],
    ['claims too much', (bytes: Buffer) => Buffer.concat([encodeEntryHead('blob', 3000), deflateSync(bytes)])],
    ['is no zlib stream', (bytes: Buffer) => Buffer.concat([encodeEntryHead('blob', bytes.length), bytes])],
    ['is of a type that does not exist', (bytes: Buffer) => Buffer.concat([Buffer.from([0x50]), deflateSync(bytes)])],
  ])('with an entry that %s are damaged', async (_what, entry) => {
    await expect(objectsOf(packOf(entry(Buffer.from('some content'))))).rejects.toMatchObject({
      code: 'repository-unreachable',
      retry: 'later',
    });
  });

  it('with any bit flipped are damaged, never misread (FT-25)', async () => {
    const pack = packOf(blob('first'), blob('second'));
    await fc.assert(
      fc.asyncProperty(fc.nat(pack.length * 8 - 1), async (bit) => {
        const damaged = Buffer.from(pack);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expect(objectsOf(damaged)).rejects.toMatchObject({ code: 'repository-unreachable' });
      }),
    );
  });

  it('of random bytes never do worse than an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(5), async (bytes, count) => {
        const head = Buffer.alloc(12);
        head.write('PACK');
        head.writeUInt32BE(2, 4);
        head.writeUInt32BE(count, 8);
        const body = Buffer.concat([head, bytes]);
        const pack = Buffer.concat([body, createHash('sha1').update(body).digest()]);
        await objectsOf(pack).catch((error: unknown) =>
          expect((error as { code: string }).code).toMatch(/repository-unreachable|source-too-large/),
        );
      }),
    );
  });
});

describe('streams', () => {
  it('are skipped to their exact end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.uint8Array({ maxLength: 300 }),
        async (content, after) => {
          const deflated = deflateSync(content);
          const source = bytesSource(Buffer.concat([Buffer.from('xx'), deflated, after]));
          expect(await skipAt(source, 2, content.length)).toBe(deflated.length);
          expect(inflateAt(source, 2, content.length).used).toBe(deflated.length);
        },
      ),
    );
    const large = deflateSync(Buffer.alloc(3_000_000, 'abcdefg'));
    expect(await skipAt(bytesSource(Buffer.concat([large, Buffer.alloc(200_000, 1)])), 0, 3_000_000)).toBe(
      large.length,
    );
    await expect(skipAt(bytesSource(large), 0, 2_999_999)).rejects.toThrow(/larger/);
    await expect(skipAt(bytesSource(large), 0, 3_000_001)).rejects.toThrow(/smaller/);
    await expect(skipAt(bytesSource(large.subarray(0, 50)), 0, 3_000_000)).rejects.toThrow();
  });
});

describe('entry heads', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.constantFrom('commit', 'tree', 'blob', 'tag'), (size, type) => {
        const head = encodeEntryHead(type, size);
        expect(readEntryHead(bytesSource(head), 0)).toEqual({ offset: 0, dataOffset: head.length, size, type });
      }),
    );
  });
});

describe('deltas', () => {
  it('that are damaged throw', () => {
    const base = Buffer.from('0123456789');
    const delta = appending(base, 'abc');
    expect(applyDelta(base, delta).toString()).toBe('0123456789abc');
    expect(deltaTargetSize(delta)).toBe(13);
    for (let length = 0; length < delta.length; length += 1)
      expect(() => applyDelta(base, delta.subarray(0, length))).toThrow();
    expect(() => applyDelta(Buffer.from('012345678'), delta)).toThrow();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          expect(applyDelta(base, Buffer.concat([Buffer.from([10, 20]), bytes]))).toHaveLength(20);
        } catch (error) {
          expect((error as Error).message).toMatch(/damaged/);
        }
      }),
    );
  });
});

describe('objects', () => {
  it('have the ids that git gives them', () => {
    expect(oidOf('blob', Buffer.from(''))).toBe('e69de29bb2d1d6434b8b29ae775ad8c2e48c5391');
    expect(oidOf('tree', Buffer.alloc(0))).toBe('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
  });

  it('that are trees with impossible names are refused (NT-23)', () => {
    for (const name of ['.', '..', 'a/b', '']) {
      const tree = Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.alloc(20)]);
      expect(() => parseTree(tree)).toThrow(expect.objectContaining({ code: 'unsafe-path' }) as Error);
    }
    const whole = Buffer.concat([Buffer.from('100644 a\0'), Buffer.alloc(20)]);
    expect(parseTree(whole)).toHaveLength(1);
    for (let length = 1; length < whole.length; length += 1)
      expect(() => parseTree(whole.subarray(0, length))).toThrow();
  });

  it('that are commits are read in their own encoding, odd ones without a crash', () => {
    const tree = '1'.repeat(40);
    const latin = Buffer.from(
      `tree ${tree}\nauthor J\xF6rg <j@x> 1700000000 +0100\ncommitter x <x> 1 +0000\nencoding ISO-8859-1\n\ngr\xFC\xDFe\n`,
      'latin1',
    );
    expect(parseCommit('a', latin).info).toMatchObject({
      author: 'Jörg',
      email: 'j@x',
      message: 'grüße',
      time: '2023-11-14T22:13:20.000Z',
    });
    expect(
      parseCommit('a', Buffer.from(`tree ${tree}\nauthor <> 99999999999999 +0000\nencoding nonsense\n\nx`)).info,
    ).toMatchObject({ author: '', message: 'x' });
    expect(() => parseCommit('a', Buffer.from('nonsense'))).toThrow(
      expect.objectContaining({ code: 'source-invalid' }) as Error,
    );
  });
});
