import { statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { writeContextKubeconfig } from '#localstack/kube-context.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

/** Two kubeconfigs, as KUBECONFIG lists them; the first has the context `prod` as its current one. */
async function kubeconfigs(): Promise<{ variable: string; target: string; folder: string }> {
  const { path: folder, remove } = await temporaryFolder();
  onTestFinished(remove);
  await mkdir(join(folder, 'two'));
  const files = [join(folder, 'one'), join(folder, 'two', 'config')];
  const config = (name: string, user: object) =>
    stringify({
      'current-context': name,
      contexts: [{ name, context: { cluster: name, user: name, namespace: 'shop' } }],
      clusters: [{ name, cluster: { server: `https://${name}.example.test`, 'certificate-authority': 'ca.crt' } }],
      users: [{ name, user }],
    });
  await writeFile(files[0] ?? '', config('prod', { token: 'secret-of-prod' }));
  await writeFile(files[1] ?? '', config('dev', { 'client-certificate': 'dev.crt', 'client-key': '/keys/dev.key' }));
  return { variable: files.join(':'), target: join(folder, 'context.kubeconfig'), folder };
}

describe('a kube context of the user’s own', () => {
  it('is written out alone, so that nobody can slip to another', async () => {
    const { variable, target, folder } = await kubeconfigs();

    expect(writeContextKubeconfig('dev', target, variable)).toBe('https://dev.example.test');
    const text = await readFile(target, 'utf8');
    expect(parse(text)).toMatchObject({
      'current-context': 'dev',
      contexts: [{ name: 'dev', context: { cluster: 'dev', user: 'dev', namespace: 'shop' } }],
      clusters: [{ cluster: { 'certificate-authority': join(folder, 'two', 'ca.crt') } }],
      users: [{ user: { 'client-certificate': join(folder, 'two', 'dev.crt'), 'client-key': '/keys/dev.key' } }],
    });
    expect(text).not.toContain('prod');
    expect(statSync(target).mode & 0o777).toBe(0o600);
  });

  it('that is not there is answered with those that are', async () => {
    const { variable, target } = await kubeconfigs();

    expect(() => writeContextKubeconfig('stage', target, variable)).toThrow(
      expect.objectContaining({ code: 'not-found', hint: 'There are: prod, dev.' }),
    );
  });
});
