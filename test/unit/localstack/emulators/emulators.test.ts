import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { availableEmulators, installEmulators, startEmulators } from '#localstack/emulators/emulators.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

/** A machine on which there are only these commands (shell scripts), and those of the system that installing needs. */
async function machine(commands: Record<string, string>): Promise<{ cacheDir: string; env: NodeJS.ProcessEnv }> {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const bin = join(folder.path, 'bin');
  await mkdir(bin);
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  return { cacheDir: join(folder.path, 'cache'), env: { PATH: bin } };
}

const java17 = `echo 'openjdk version "17.0.15" 2025-04-15' >&2`;
const python311 = 'exit 0';

describe('emulators', () => {
  it('say what is missing and how to get it', async () => {
    const available = await availableEmulators(await machine({}));

    expect(available.dynamodb).toMatchObject({
      ok: false,
      reason: expect.stringContaining('apt-get install default-jre'),
    });
    expect(available.localstack).toMatchObject({ ok: false, reason: expect.stringContaining('Python 3.11') });
  });

  it.each([
    ['a Java that is too old', { java: `echo 'java version "1.8.0_402"' >&2`, mvn: 'exit 0' }, 'Java 1 is too old'],
    ['no Maven', { java: java17 }, 'apt-get install maven'],
    ['a Java that does not start', { java: 'exit 1', mvn: 'exit 0' }, 'Java is not there'],
  ])('cannot run DynamoDB Local with %s', async (_, commands, reason) => {
    expect((await availableEmulators(await machine(commands))).dynamodb).toMatchObject({
      ok: false,
      reason: expect.stringContaining(reason),
    });
  });

  it('can be installed with Java, Maven and Python 3.11, or uv instead of Python', async () => {
    const all = { java: java17, mvn: 'exit 0', 'python3.11': python311 };
    const withUv = { java: java17, mvn: 'exit 0', python3: 'exit 1', uv: 'exit 0' };

    for (const commands of [all, withUv]) {
      expect(await availableEmulators(await machine(commands))).toEqual({
        dynamodb: { ok: true, installed: false },
        localstack: { ok: true, installed: false },
      });
    }
  });

  it('are installed once, by one process at a time', async () => {
    const place = await machine({ java: java17, mvn: 'echo fetch >> "$0.calls"', rm: 'exit 0' });
    const install = () => installEmulators({ ...place, only: ['dynamodb'] });

    await Promise.all([install(), install(), install()]);
    await install();

    expect((await availableEmulators(place)).dynamodb).toEqual({ ok: true, installed: true });
    const calls = await readFile(join(place.env['PATH'] ?? '', 'mvn.calls'), 'utf8');
    expect(calls).toBe('fetch\n');
  });

  it('count as not installed after a failure, which is told with the last lines of the installer', async () => {
    const place = await machine({
      java: java17,
      mvn: '[ "$1" = --version ] && exit 0; echo "Could not resolve DynamoDBLocal"; exit 1',
    });

    await expect(installEmulators({ ...place, only: ['dynamodb'] })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('Could not resolve DynamoDBLocal'),
    });
    expect((await availableEmulators(place)).dynamodb).toEqual({ ok: true, installed: false });
  });

  it('leave nothing running and no folder when one of them ends at its start', async () => {
    const place = await machine({
      java: `${java17}; [ "$1" = -version ] || { echo 'no memory'; exit 3; }`,
      mvn: 'exit 0',
      rm: 'exit 0',
    });

    await expect(startEmulators({ ...place, only: ['dynamodb'] })).rejects.toMatchObject({
      message: expect.stringContaining('no memory'),
    });
    expect(await readdir(join(place.cacheDir, 'emulators', 'run'))).toEqual([]);
  });
});
