import { describe, expect, it } from 'vitest';
import type { ClusterView } from '#shared/messages/api.ts';
import { agentState, isInstalled, readLabels, whyNotRenew } from '#dashboard/pages/clusters/cluster-state.ts';
import { bodyOf, emptyForm, likelyHost, waysFor, whyNotSend } from '#dashboard/pages/repositories/credentials.ts';

const now = Date.parse('2026-01-01T00:10:00Z');
const cluster = (more: Partial<ClusterView> = {}) =>
  ({ id: 'edge', connected: false, identity: 'service-account', ...more }) as ClusterView;

describe('the state of an agent', () => {
  const [before, after] = ['2026-01-01T00:09:00Z', '2026-01-01T00:11:00Z'];
  it.each<[string, Partial<ClusterView>]>([
    ['Revoked', { revokedAt: before, seenAt: before }],
    ['Connected', { connected: true, seenAt: before, registrationExpiresAt: after }],
    ['Not heard', { seenAt: before, registrationExpiresAt: after }],
    ['Waiting', { registrationExpiresAt: after }],
    ['Token expired', { registrationExpiresAt: before }],
    ['Never seen', {}],
  ])('is %s', (state, more) => {
    expect(agentState(cluster(more), now)).toBe(state);
  });

  it('is that of a new installation only once its token was used', () => {
    expect(isInstalled(cluster({ connected: true, registrationExpiresAt: after }))).toBe(false);
    expect(isInstalled(cluster({ connected: true }))).toBe(true);
    expect([whyNotRenew(cluster()), whyNotRenew(cluster({ identity: 'static' }))]).toEqual([undefined, undefined]);
    expect(whyNotRenew(cluster({ identity: 'pod-identity' }))).toContain('IAM role');
  });
});

describe('labels', () => {
  it.each([
    ['', {}, undefined],
    ['env=production region=eu', { env: 'production', region: 'eu' }, undefined],
    [' a=1,\nb==2,c= ', { a: '1', b: '=2', c: '' }, undefined],
    ['a=1 b', { a: '1' }, 'b'],
    ['=x', {}, '=x'],
  ])('of %j', (text, labels, wrong) => {
    expect(readLabels(text)).toEqual({ labels, ...(wrong === undefined ? {} : { wrong }) });
  });
});

describe('the form of a repository', () => {
  const all = ['none', 'basic', 'bearer', 'ssh'] as const;

  it('offers what fits the address', () => {
    expect(waysFor('', all)).toEqual(all);
    expect(waysFor('https://git.example/x.git', all)).toEqual(['none', 'basic', 'bearer']);
    expect(waysFor('git@git.example:x.git', all)).toEqual(['none', 'ssh']);
  });

  it.each([
    [{}, 'address'],
    [{ url: 'git@git.example:x.git', way: 'basic' as const, secret: 'x' }, 'Choose how'],
    [{ url: 'https://git.example/x', way: 'basic' as const }, 'password'],
    [{ url: 'https://git.example/x', way: 'bearer' as const }, 'token'],
    [{ url: 'git@git.example:x', way: 'ssh' as const, privateKey: ' ' }, 'private key'],
  ])('says what is missing in %j', (more, why) => {
    const form = { ...emptyForm, ...more };
    expect(whyNotSend(form, waysFor(form.url, all))).toContain(why);
  });

  it('sends what was chosen and nothing that was typed for another way', () => {
    const form = { ...emptyForm, url: ' https://git.example/x ', username: 'u', secret: ' s ', privateKey: 'k' };
    const credentials = (way: (typeof all)[number]) => bodyOf({ ...form, way }).credentials;
    expect(bodyOf(form)).toEqual({ url: 'https://git.example/x' });
    expect(credentials('basic')).toEqual({ kind: 'basic', username: 'u', password: ' s ' });
    expect(credentials('bearer')).toEqual({ kind: 'bearer', token: ' s ' });
    expect(credentials('ssh')).toEqual({ kind: 'ssh', privateKey: 'k\n', passphrase: ' s ' });
    expect(bodyOf({ ...form, ca: 'PEM' }).ca).toBe('PEM\n');
    expect(bodyOf({ ...form, way: 'ssh', ca: 'PEM' }).ca).toBeUndefined();
  });

  it('guesses the Git host by its address, among those that there are', () => {
    const hosts = ['github', 'gitlab', 'bitbucket', 'bitbucket-server', 'azure-devops', 'gitea', 'generic'];
    const guess = (url: string) => likelyHost(url, hosts);
    expect([
      guess('git@github.com:a/b'),
      guess('https://gitlab.corp/a'),
      guess('https://bitbucket.org/a'),
      guess('https://bitbucket.corp/a'),
      guess('https://dev.azure.com/a'),
      guess('https://codeberg.org/a'),
      guess('https://git.corp/a'),
    ]).toEqual([...hosts]);
    expect(likelyHost('https://gitea.corp/a', ['github'])).toBe('github');
  });
});
