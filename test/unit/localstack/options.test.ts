import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { awsDefaults, embeddedDefaults, parseStartOptions, usageOf } from '#localstack/options.ts';

const flagsIn = (text: string) => [...text.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag);

describe('the options of npm start', () => {
  it('are all taken by npm run start:aws, with the same meaning', () => {
    const argv = ['--port', '8080', '--data', 'x', '--context', 'dev', '--no-demo', '--verbose'];
    const several = ['--clusters', '3'];

    expect(parseStartOptions(argv, awsDefaults)).toEqual(parseStartOptions(argv, embeddedDefaults));
    expect(parseStartOptions(argv, awsDefaults)).toEqual({
      port: 8080,
      dataDir: resolve('x'),
      context: 'dev',
      clusters: 1,
      demo: false,
      help: false,
      verbose: true,
    });
    expect(parseStartOptions(several, awsDefaults).clusters).toBe(3);
  });

  it('keep to a folder of their own', () => {
    expect(parseStartOptions([], embeddedDefaults).dataDir).toBe(resolve('.hawser'));
    expect(parseStartOptions([], awsDefaults).dataDir).toBe(resolve('.hawser-aws'));
  });

  it('are those that the help text names, and every one of them is taken', () => {
    const own = flagsIn(usageOf(embeddedDefaults));
    const aws = flagsIn(usageOf(awsDefaults));
    const values: Record<string, string[]> = {
      '--port': ['80'],
      '--data': ['x'],
      '--context': ['dev'],
      '--clusters': ['2'],
      '--emulators': ['http://127.0.0.1:1,http://127.0.0.1:2'],
    };

    expect(aws.filter((flag) => flag !== '--emulators')).toEqual(own);
    expect(aws).toContain('--emulators');
    for (const flag of aws)
      expect(() => parseStartOptions([flag ?? '', ...(values[flag ?? ''] ?? [])], awsDefaults)).not.toThrow();
  });

  it('name emulators by two addresses', () => {
    const argv = ['--emulators', 'http://localhost:8000/, http://10.0.0.7:4566'];

    expect(parseStartOptions(argv, awsDefaults).emulators).toEqual({
      dynamodb: 'http://localhost:8000',
      localstack: 'http://10.0.0.7:4566',
    });
  });

  it.each([
    ['http://localhost:8000'],
    ['http://localhost:8000,http://localhost:8000'],
    ['http://localhost:8000,localhost:4566'],
    ['http://localhost:8000,http://localhost:4566,http://localhost:1'],
    ['http://localhost:8000/table,http://localhost:4566'],
    ['http://me:secret@localhost:8000,http://localhost:4566'],
  ])('refuse emulators at %s', (text) => {
    expect(() => parseStartOptions(['--emulators', text], awsDefaults)).toThrow(/is not two http addresses/);
  });

  it('refuse emulators where there are none', () => {
    const argv = ['--emulators', 'http://localhost:8000,http://localhost:4566'];

    expect(() => parseStartOptions(argv, embeddedDefaults)).toThrow(/--emulators/);
  });

  it('refuse a context of the user together with sandbox clusters', () => {
    for (const defaults of [embeddedDefaults, awsDefaults])
      expect(() => parseStartOptions(['--context', 'a', '--clusters', '2'], defaults)).toThrow(/cannot go together/);
  });
});
