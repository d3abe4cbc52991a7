import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '#shared/adapters/render/limits.ts';
import { shellPrefix } from '#shared/adapters/render/sandbox.ts';

describe('limits where there is no prlimit', () => {
  it('LIM-11: are set by a shell that becomes the worker', (context) => {
    if (process.platform !== 'linux') context.skip('there is no /proc here');
    const [command = '', ...rest] = shellPrefix('/bin/sh', defaultLimits);
    const print = "console.log(process.argv[1] + '\\n' + require('node:fs').readFileSync('/proc/self/limits', 'utf8'))";
    const printed = execFileSync(command, [...rest, process.execPath, '-e', print, 'a b$c']).toString();
    expect(printed).toMatch(/^a b\$c\n/);
    expect(printed).toMatch(/Max data size +2147483648 +2147483648/);
    expect(printed).toMatch(/Max file size +67108864 +67108864/);
    expect(printed).toMatch(/Max open files +256 +256/);
    expect(printed).toMatch(/Max core file size +0 +0/);
  });

  it('need a shell', () => {
    expect(shellPrefix(undefined, defaultLimits)).toEqual([]);
  });
});
