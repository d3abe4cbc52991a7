import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { fingerprint, isTrusted, knownKeys } from '#shared/adapters/git/known-hosts.ts';
import { publishedHostKeys } from '#shared/adapters/git/published-host-keys.ts';

const ours = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
const other = 'AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf';
const key = Buffer.from(ours, 'base64');

function trusts(line: string, host: string, port = 22): boolean {
  return isTrusted(knownKeys([line], host, port), key);
}

function hashed(name: string): string {
  const salt = Buffer.alloc(20, 7);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

describe('known hosts (NT-27)', () => {
  it.each([
    ['git.example', 'git.example', 22],
    ['other.example,git.example', 'git.example', 22],
    ['GIT.example', 'git.Example', 22],
    ['[git.example]:2222', 'git.example', 2222],
    ['*.example', 'git.example', 22],
    ['g?t.ex*e', 'git.example', 22],
    ['*.example,!secret.example', 'git.example', 22],
    [hashed('git.example'), 'git.example', 22],
    [hashed('[git.example]:2222'), 'git.example', 2222],
  ])('%s is %s at %d', (patterns, host, port) => {
    expect(trusts(`${patterns} ssh-ed25519 ${ours} a comment`, host, port)).toBe(true);
  });

  it.each([
    ['git.example', 'git.example', 2222],
    ['[git.example]:2222', 'git.example', 22],
    ['git.example', 'git.example.evil', 22],
    ['*.example', 'example', 22],
    ['*.example,!git.example', 'git.example', 22],
    ['!git.example', 'git.example', 22],
    [hashed('git.example'), 'other.example', 22],
    ['|2|x|y', 'git.example', 22],
    ['# git.example', 'git.example', 22],
    ['@cert-authority git.example', 'git.example', 22],
    ['@unknown git.example', 'git.example', 22],
  ])('%s is not %s at %d', (patterns, host, port) => {
    expect(trusts(`${patterns} ssh-ed25519 ${ours}`, host, port)).toBe(false);
  });

  it('trust no revoked key, whatever else says so', () => {
    const lines = `git.example ssh-ed25519 ${ours}\n@revoked * ssh-ed25519 ${ours}`;
    expect(trusts(lines, 'git.example')).toBe(false);
  });

  it('trust no line that is not what it says it is', () => {
    for (const line of [
      'git.example',
      `git.example ssh-rsa ${ours}`,
      'git.example ssh-ed25519 !!!',
      `git.example ssh-ed25519`,
    ])
      expect(trusts(line, 'git.example')).toBe(false);
  });

  it('trust the key alone, not the host', () => {
    const known = knownKeys([`git.example ssh-ed25519 ${other}`], 'git.example', 22);
    expect(isTrusted(known, key)).toBe(false);
    expect(isTrusted(known, Buffer.from(other, 'base64'))).toBe(true);
  });
});

describe('published host keys', () => {
  // As the hosts' pages give them; taken from stored copies of those pages and of texts that quote them.
  it.each([
    [
      'github.com',
      22,
      [
        '+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
        'p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM',
        'uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s',
      ],
    ],
    [
      'ssh.github.com',
      443,
      [
        '+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
        'p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM',
        'uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s',
      ],
    ],
    [
      'gitlab.com',
      22,
      [
        'eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8',
        'HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw',
        'ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ',
      ],
    ],
    [
      'bitbucket.org',
      22,
      [
        'ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM',
        'FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0',
        '46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E',
      ],
    ],
    ['ssh.dev.azure.com', 22, ['ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og']],
  ])('of %s at %d have the fingerprints that it publishes', (host, port, expected) => {
    const known = knownKeys(
      publishedHostKeys.flatMap(({ lines }) => lines),
      host,
      port,
    );
    expect(known.trusted.map((one) => fingerprint(one.key))).toEqual(expected.map((hash) => `SHA256:${hash}`));
  });

  it('say nothing of other hosts', () => {
    for (const host of ['github.com.evil.example', 'evil-github.com', 'gist.github.com'])
      expect(
        knownKeys(
          publishedHostKeys.flatMap(({ lines }) => lines),
          host,
          22,
        ).trusted,
      ).toEqual([]);
  });
});
