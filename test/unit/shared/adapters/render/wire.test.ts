import { describe, expect, it } from 'vitest';
import { createFrameCollector, frameHead, readFrame } from '#shared/adapters/render/wire.ts';
import { readZipEntry } from '#shared/adapters/render/zip-reader.ts';

describe('frames between service and worker', () => {
  const body = Buffer.from('body\n');
  const frame = Buffer.concat([frameHead({ ok: true, objects: 1, warnings: ['é'] }, body.length), body]);

  it('come out whole, however the bytes arrive', () => {
    const collector = createFrameCollector(1000);
    const parts = [...frame].map((byte) => collector.add(Buffer.from([byte])));
    expect(parts.at(-1)).toEqual({ header: { ok: true, objects: 1, warnings: ['é'] }, body });
    expect(parts.slice(0, -1).every((part) => part === undefined)).toBe(true);
  });

  it('are refused when they claim too much, and end with the stream', () => {
    expect(() => createFrameCollector(10).add(frame)).toThrow(RangeError);
    let at = 0;
    const fill = (buffer: Buffer): boolean => {
      if (at >= frame.length) return false;
      at += frame.copy(buffer, 0, at, at + buffer.length);
      return true;
    };
    expect(readFrame(fill)?.body.toString()).toBe('body\n');
    expect(readFrame(fill)).toBeUndefined();
  });
});

describe('the zip reader', () => {
  it('refuses what is no archive', () => {
    expect(() => readZipEntry(Buffer.from('nothing'), 'x')).toThrow(RangeError);
  });
});
