import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { lockDataFolder } from '#shared/adapters/embedded/data-folder.ts';
import { HawserError } from '#shared/errors.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const module = join(import.meta.dirname, '../../../../../shared/adapters/embedded/data-folder.ts');

async function folderFor(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  return join(folder.path, 'data');
}

/** Another process that holds the folder until it is ended. */
async function holder(dir: string): Promise<ChildProcess> {
  const code = `const { lockDataFolder } = await import(${JSON.stringify(module)}); lockDataFolder(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

function failure(work: () => unknown): HawserError {
  try {
    work();
  } catch (error) {
    if (error instanceof HawserError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

it('lets one process work on a folder and tells the second which one does', async () => {
  const dir = await folderFor();
  const child = await holder(dir);

  const error = failure(() => lockDataFolder(dir));

  expect(error).toMatchObject({ code: 'conflict', data: { dir, pid: child.pid } });
  expect(error.message).toContain(`process ${child.pid}`);
  expect(error.hint).toContain('another data folder');
});

it('takes over the folder of a process that was killed', async () => {
  const dir = await folderFor();
  const child = await holder(dir);
  child.kill('SIGKILL');
  await once(child, 'close');

  const lock = lockDataFolder(dir);

  lock.release();
});

it('is not fooled by a process id that was left behind and belongs to somebody else now', async () => {
  const dir = await folderFor();
  lockDataFolder(dir).release();
  await writeFile(join(dir, 'lock.pid'), `${process.ppid}\n`);

  expect(() => lockDataFolder(dir).release()).not.toThrow();
});

it('holds within one process too, and any number of attempts do not break it', async () => {
  const dir = await folderFor();
  const lock = lockDataFolder(dir);
  for (let attempt = 0; attempt < 3; attempt += 1) expect(failure(() => lockDataFolder(dir)).code).toBe('conflict');

  const code = `const { lockDataFolder } = await import(${JSON.stringify(module)}); try { lockDataFolder(${JSON.stringify(dir)}); console.log('got it'); } catch (error) { console.log(error.code); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = (await once(child.stdout, 'data')) as [Buffer];

  expect(output.toString().trim()).toBe('conflict');
  lock.release();
  lock.release();
  lockDataFolder(dir).release();
});

it('says that it cannot write where it cannot', async () => {
  const dir = await folderFor();
  await writeFile(dir, 'a file in the place of the folder');

  expect(failure(() => lockDataFolder(dir))).toBeInstanceOf(HawserError);
});
