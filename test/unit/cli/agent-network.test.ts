import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fitToServer } from '#cli/agent-network.ts';
import { ClusterInstall } from '#shared/messages/api.ts';
import { startFixtureApi, type FixtureApi } from '#test/kit/fixture-api.ts';
import { temporaryFolder } from '#test/kit/temp.ts';
import { hawser } from './hawser.ts';

/** The way out of the agent's network, in the command that installs the agent. */

let api: FixtureApi;
beforeEach(async () => {
  api = await startFixtureApi();
});
afterEach(async () => {
  await api.close();
});

const ca = '-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\nc2Vl+/==\n-----END CERTIFICATE-----\n';
const password = `p%40%21!$HOME\`id\`~*`;

function run(...args: string[]) {
  return hawser(args, { api });
}

/** The values that a shell hands to helm. */
function settingsOf(command: string): Record<string, unknown> {
  const { stdout } = spawnSync('sh', ['-c', `helm() { printf '%s\\0' "$@"; }\n${command}`], { encoding: 'utf8' });
  const given = stdout.split('\0');
  return Object.fromEntries(
    given
      .filter((_text, at) => given[at - 1] === '--set-json')
      .map((text) => [text.slice(0, text.indexOf('=')), JSON.parse(text.slice(text.indexOf('=') + 1)) as unknown]),
  );
}

describe('cluster add behind a proxy', () => {
  it('puts the proxy and the authorities into the command and the values, whatever shell reads it (NT-150)', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'ca.pem');
    await writeFile(file, `# our own\r\n${ca.replaceAll('\n', '\r\n')}\n# the other\n${ca}`);
    const proxy = `https://us%5Cer:${password}@proxy.corp:3128`;
    const network = ['--proxy', proxy, '--no-proxy', '10.0.0.0/8, corp.example', '--ca-file', file];
    const { code, out, err } = await run('cluster', 'add', 'edge', '--no-wait', ...network);

    expect(code).toBe(0);
    const expected = {
      proxy: { https: proxy.replaceAll('`', '%60'), noProxy: ['10.0.0.0/8', 'corp.example'] },
      caBundle: `${ca.trim()}\n${ca}`,
    };
    expect(settingsOf(out)).toMatchObject(expected);
    expect(err).toContain('warning: the password of the proxy stands in this command');
    expect(err).toContain('--proxy-secret');
    expect(JSON.stringify(api.changes)).not.toContain('proxy');
    const scripted = await run('cluster', 'renew', 'edge', '-o', 'json', ...network);
    expect(ClusterInstall.parse(JSON.parse(scripted.out)).values).toMatchObject(expected);
  });

  it('names a Secret instead, and then shows nothing of the address but its port', async () => {
    const network = '--proxy http://user:hunter2@proxy.corp:3128 --proxy-secret corp-proxy --no-proxy .corp';
    const { out, err } = await run('cluster', 'add', 'edge', '--no-wait', ...network.split(' '));
    expect(settingsOf(out)['proxy']).toEqual({ secret: 'corp-proxy', noProxy: ['.corp'], ports: [3128] });
    expect(out + err).not.toContain('hunter2');
    expect(err).not.toContain('warning');
  });

  it('is the way to a service on http, too', () => {
    const network = { proxy: { https: 'http://proxy:3128', noProxy: ['corp'] } };
    const to = (server: string) => fitToServer(network, { values: { server } } as unknown as ClusterInstall);
    expect(to('http://hawser.corp')).toEqual({ proxy: { ...network.proxy, http: 'http://proxy:3128' } });
    expect(to('https://hawser.corp')).toEqual(network);
  });

  it('takes an address as curl does, and adds nothing where nothing was given', async () => {
    expect(
      settingsOf((await run('cluster', 'renew', 'staging', '--proxy', 'proxy.corp:3128')).out)['proxy'],
    ).toMatchObject({
      https: 'http://proxy.corp:3128',
    });
    expect(Object.keys(settingsOf((await run('cluster', 'renew', 'staging')).out))).not.toContain('proxy');
  });

  it.each([
    ['no address', ['--proxy', 'http://:hunter2'], 'not the address of a proxy'],
    ['SOCKS', ['--proxy', 'socks5://u:hunter2@proxy:1080'], 'SOCKS is not supported'],
    ['a password that is not encoded', ['--proxy', 'http://u:hunter2%zz@proxy:3128'], 'not percent-encoded'],
    ['a path', ['--proxy', 'http://proxy:3128/hunter2'], 'more than host and port'],
    ['a quote', ['--proxy', "http://u:hunter2'@proxy:3128"], 'not the address of a proxy'],
    ['exceptions of nothing', ['--no-proxy', 'corp'], '--no-proxy goes with --proxy'],
    ['an exception that is none', ['--proxy', 'http://p:1', '--no-proxy', 'a,b$(id)'], '"b$(id)"'],
    ['a Secret that is none', ['--proxy-secret', 'Corp Proxy'], 'not the name of a Secret'],
    ['a file that is not there', ['--ca-file', '/nonexistent/ca.pem'], 'cannot be read (ENOENT)'],
  ])('refuses %s before anything is registered, and quotes no password', async (_what, args, why) => {
    const { code, out, err } = await run('cluster', 'add', 'edge', ...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(why);
    expect(err).not.toContain('hunter2');
    expect(api.changes).toEqual([]);
  });

  it.each([
    ['a private key', `${ca}-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\n`, 'private key'],
    ['no certificate', 'MIIBszCCAVmgAwIBAgIU', 'holds no certificate'],
    ['too much', ca.repeat(900), 'more than 65536 bytes'],
  ])('refuses a file of authorities with %s', async (_what, text, why) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'ca.pem');
    await writeFile(file, text);
    const { code, err } = await run('cluster', 'add', 'edge', '--ca-file', file);
    expect([code, err]).toEqual([2, expect.stringContaining(why)]);
    expect(api.changes).toEqual([]);
  });
});
