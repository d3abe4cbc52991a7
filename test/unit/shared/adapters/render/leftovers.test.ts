import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, foreignProcesses, readProcesses, type ProcessRow } from '#shared/adapters/render/leftovers.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const row = (pid: number, parent: number, rest: Partial<ProcessRow> = {}): ProcessRow => ({
  pid,
  parent,
  group: pid,
  user: 1000,
  name: `p${pid}`,
  state: 'S',
  program: '/usr/bin/node',
  environment: '',
  ...rest,
});

/** 1 is the machine's first, 7 the runtime, 9 its worker with a tool. */
const calm = [row(1, 0), row(7, 1), row(9, 7), row(10, 9, { group: 9 })];
const foreign = (rows: ProcessRow[], known: { worker?: number; folder?: string } = {}): number[] =>
  foreignProcesses(rows, { self: 7, user: 1000, ...known }).map(({ pid }) => pid);

describe('what a job left behind (INV-35)', () => {
  it('is not this process, those before it, or the worker with its group', () => {
    expect(foreign(calm, { worker: 9 })).toEqual([]);
    expect(foreign(calm)).toEqual([9, 10]);
  });

  it('is whatever else this user runs on a machine of our own, however it hides', () => {
    const escaped = row(20, 1, { group: 20, environment: '' });
    const inSession = row(21, 9, { group: 21 });
    expect(foreign([...calm, escaped, inSession], { worker: 9 })).toEqual([20, 21]);
  });

  it('is not what Lambda runs itself', () => {
    expect(foreign([...calm, row(33, 1, { program: '/var/rapid/agent' })], { worker: 9 })).toEqual([]);
    expect(foreign([...calm, row(33, 1, { program: '' })], { worker: 9 })).toEqual([33]);
  });

  it('is nobody else’s process and nothing dead', () => {
    const others = [row(30, 1, { user: 0 }), row(31, 1, { state: 'Z' }), row(32, 1, { state: 'X' })];
    expect(foreign([...calm, ...others], { worker: 9 })).toEqual([]);
  });

  it('is on a shared machine only what carries the job folder or descends from here', () => {
    const editor = row(40, 1, { environment: 'HOME=/home/me' });
    const tool = row(41, 1, { environment: 'HOME=/tmp/jobs-7/abc/home\0' });
    const child = row(42, 9, { group: 42 });
    expect(foreign([...calm, editor, tool, child], { worker: 9, folder: '/tmp/jobs-7' })).toEqual([41, 42]);
  });

  it('survives a circle of parents', () => {
    expect(foreign([row(7, 8), row(8, 7), row(50, 51), row(51, 50)])).toEqual([50, 51]);
  });

  it('is found in the real process table', (context) => {
    if (process.platform !== 'linux') context.skip('there is no /proc here');
    const own = readProcesses().find(({ pid }) => pid === process.pid);
    expect(own).toMatchObject({ parent: process.ppid, user: process.getuid?.() });
  });
});

describe('emptying a folder', () => {
  it('removes all but the one to keep, whatever its rights, and follows no link', async () => {
    await using folder = await temporaryFolder();
    await using outside = await temporaryFolder();
    await writeFile(join(outside.path, 'mine'), 'x');
    await mkdir(join(folder.path, 'closed', 'deep'), { recursive: true });
    await writeFile(join(folder.path, 'closed', 'deep', 'file'), 'x');
    await chmod(join(folder.path, 'closed', 'deep'), 0);
    await chmod(join(folder.path, 'closed'), 0);
    await symlink(outside.path, join(folder.path, 'link'));
    await mkdir(join(folder.path, 'kept'));

    expect(emptyFolder(folder.path, 'kept').toSorted()).toEqual(['closed', 'link']);

    expect(await readdir(folder.path)).toEqual(['kept']);
    expect(await readdir(outside.path)).toEqual(['mine']);
    expect(emptyFolder(folder.path, 'kept')).toEqual([]);
    expect(emptyFolder(join(folder.path, 'nowhere'))).toEqual([]);
  });
});
