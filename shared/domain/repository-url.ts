import type { CredentialKind } from './repository-credentials.ts';

/** Why these credentials cannot be used with this address; undefined where they can. */
export function credentialsMisfit(url: string, kind: CredentialKind): string | undefined {
  const overSsh = isSshUrl(url);
  if (kind === 'ssh') return overSsh ? undefined : 'an SSH key needs an address of the form git@host:path or ssh://…';
  if (kind === 'codecommit') {
    return codecommitRegion(url) === undefined
      ? 'the IAM role opens repositories of CodeCommit only: https://git-codecommit.REGION.amazonaws.com/v1/repos/NAME'
      : undefined;
  }
  return overSsh ? 'a password, token or GitHub App needs an https address; over ssh give an SSH key' : undefined;
}

/** True for the forms of addresses that repositories have here: https, http, ssh, `user@host:path`, `codecommit::…`. */
export function isRepositoryUrl(url: string): boolean {
  if (/[\p{Cc}\s\\]/u.test(url) || url.length > 2048) return false;
  return /^(?:https?|ssh):\/\/[^/?#]/i.test(url) || scpParts(url) !== undefined || codecommitHttps(url) !== undefined;
}

/** True for `ssh://…` and for `user@host:path`. */
export function isSshUrl(url: string): boolean {
  return /^ssh:\/\//i.test(url) || scpParts(url) !== undefined;
}

/** The parts of `user@host:path`, Git's short way of writing an address over ssh; undefined for anything else. */
export function scpParts(url: string): { user: string; host: string; path: string } | undefined {
  const [, user, host, path] = /^([\w.+-]+)@([\w.-]+|\[[\da-f:.]+\]):(?!\/\/)(\S+)$/i.exec(url) ?? [];
  return user === undefined || host === undefined || path === undefined ? undefined : { user, host, path };
}

/**
 * The AWS region of a CodeCommit address; undefined for any other. With host names of AWS's partitions, FIPS endpoints
 * included (docs.aws.amazon.com/codecommit/latest/userguide/regions.html).
 */
export function codecommitRegion(url: string): string | undefined {
  const https = codecommitHttps(url) ?? url;
  return /^https:\/\/git-codecommit(?:-fips)?\.([a-z0-9-]{1,40})\.amazonaws\.com(?:\.cn)?\/v1\/repos\/[\w.-]{1,100}\/?$/.exec(
    https,
  )?.[1];
}

/** The https address of `codecommit::REGION://NAME`, as git-remote-codecommit makes it; undefined for other addresses. */
export function codecommitHttps(url: string): string | undefined {
  const [, region, name] = /^codecommit::([a-z0-9-]{1,40}):\/\/([\w.-]{1,100})$/.exec(url) ?? [];
  if (region === undefined || name === undefined) return undefined;
  const suffix = region.startsWith('cn-') ? '.cn' : '';
  return `https://git-codecommit.${region}.amazonaws.com${suffix}/v1/repos/${name}`;
}
