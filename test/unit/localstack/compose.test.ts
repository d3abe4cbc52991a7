import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { dynamodbLocalFlags, dynamodbLocalVersion } from '#localstack/emulators/dynamodb-local.ts';
import { localstackServices, localstackVersion } from '#localstack/emulators/localstack-host.ts';
import { awsDefaults, parseStartOptions, usageOf } from '#localstack/options.ts';

const folder = join(import.meta.dirname, '../../../localstack');
const text = readFileSync(join(folder, 'compose.yaml'), 'utf8');
const commandIn = /start:aws -- (--emulators \S+)/g;

/** As much of the Compose specification as the file uses; a key that is none of it is a mistake. */
const Compose = z.strictObject({
  name: z.string(),
  services: z.record(
    z.string(),
    z.strictObject({
      image: z.string(),
      command: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.string()).optional(),
      ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/, 'published on loopback only')),
      volumes: z.array(z.string().regex(/^\.\/[\w./-]+:\/[\w./-]+:ro$/, 'a folder from here, read only')).optional(),
    }),
  ),
});
const { services } = Compose.parse(parse(text));

describe('compose.yaml', () => {
  it('has the two emulators at the versions that are installed without Docker', () => {
    expect(Object.fromEntries(Object.entries(services).map(([name, { image }]) => [name, image]))).toEqual({
      dynamodb: `amazon/dynamodb-local:${dynamodbLocalVersion}`,
      localstack: `localstack/localstack:${localstackVersion}`,
    });
    expect(readFileSync(join(folder, 'emulators/dynamodb-local.pom.xml'), 'utf8')).toContain(
      `<version>${dynamodbLocalVersion}</version>`,
    );
    expect(readFileSync(join(folder, 'emulators/localstack-requirements.txt'), 'utf8')).toContain(
      `localstack-core==${localstackVersion} `,
    );
  });

  it('starts them as they are started without Docker', () => {
    expect(services['dynamodb']?.command).toEqual([
      '-jar',
      'DynamoDBLocal.jar',
      ...dynamodbLocalFlags,
      '-port',
      '8000',
    ]);
    expect(services['localstack']?.environment).toMatchObject({
      SERVICES: localstackServices,
      SQS_ENDPOINT_STRATEGY: 'path',
      LOCALSTACK_HOST: '127.0.0.1:4566',
    });
  });

  it('teaches LocalStack what it lacks, by init hooks that are there', () => {
    const [mount = ''] = services['localstack']?.volumes ?? [];
    const [from = '', to] = mount.split(':');

    expect(to).toBe('/etc/localstack/init/start.d');
    expect(existsSync(join(folder, from, 'teach_aws.py'))).toBe(true);
  });

  it('publishes the ports that the file itself, the help text and the pages say', () => {
    const [dynamodb, localstack] = ['dynamodb', 'localstack'].map(
      (name) => `http://${services[name]?.ports[0]?.replace(/:\d+$/, '') ?? ''}`,
    );
    const pages = [text, usageOf(awsDefaults), readFileSync(join(folder, 'README.md'), 'utf8')];

    for (const page of pages) {
      const said = [...page.matchAll(commandIn)].map(([, flags = '']) => flags.split(' '));
      expect(said.length).toBeGreaterThan(0);
      for (const argv of said) expect(parseStartOptions(argv, awsDefaults).emulators).toEqual({ dynamodb, localstack });
    }
  });
});
