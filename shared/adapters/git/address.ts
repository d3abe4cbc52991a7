import { lookup as resolveName } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

import { codecommitHttps, isSshUrl, scpParts } from '../../domain/repository-url.ts';
import { HawserError } from '../../errors.ts';

/** Which addresses may be called. */
export interface AddressRules {
  /** Plain http beyond loopback. */
  allowInsecureHttp: boolean;
  /** Refuse names and addresses that lead into private networks (NT-80). */
  denyPrivateAddresses: boolean;
}

/**
 * The address of a repository as a URL without password and trailing slash (and without user, but over ssh), or
 * `invalid-input` with the reason. Takes https, http, ssh, `user@host:path` and `codecommit::REGION://NAME`.
 * Checked on the text as well as on the parsed URL, because parsers disagree on both (NT-25, NT-26).
 */
export function repositoryUrl(text: string, rules: AddressRules): URL {
  if (/[\p{Cc}\s\\]|%(?:0[0-9a-f]|1[0-9a-f]|7f)/iu.test(text)) throw invalid('holds characters that no address has');
  const url = isSshUrl(text) ? sshUrl(text) : httpUrl(codecommitHttps(text) ?? text, rules);
  if (url.password !== '')
    throw invalid('holds a password', 'Hand in credentials with the repository, not in its URL.');
  if (url.search !== '' || url.hash !== '') throw invalid('has a query or a fragment');
  if (rules.denyPrivateAddresses && isPrivateHost(url.hostname)) throw privateAddress(url.hostname);
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/**
 * The path that `git-upload-pack` is asked for: as written after the colon of `user@host:path`, else with its slash, but
 * `/~user/…` without (git-scm.com/docs/git-clone, «Git URLs»).
 */
export function sshPath(text: string): string {
  const path = scpParts(text)?.path ?? decodeURIComponent(new URL(text).pathname).replace(/^\/~/, '~');
  return path.replace(/\/+$/, '');
}

function httpUrl(text: string, rules: AddressRules): URL {
  if (/^git:\/\//i.test(text)) {
    throw new HawserError('unsupported', "Git's own protocol is neither encrypted nor authenticated, and not read", {
      hint: 'Use the https or ssh address of the repository.',
    });
  }
  if (!/^https?:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) throw invalid('is not an http, https or ssh address');
  const url = new URL(text);
  if (url.protocol === 'http:' && !rules.allowInsecureHttp && !isLoopback(url.hostname)) {
    throw invalid('is plain http', 'Use https: credentials and manifests would pass in clear.');
  }
  url.username = '';
  return url;
}

/** `ssh://user@host:port/path`; the user is `git` where none is given. Nothing in it can become an option (NT-25). */
function sshUrl(text: string): URL {
  const scp = scpParts(text);
  const long = scp === undefined ? text : `ssh://${scp.user}@${scp.host}/${scp.path.replace(/^\/+/, '')}`;
  if (!/^ssh:\/\/[^/?#]/i.test(long) || !URL.canParse(long)) throw invalid('is not an ssh address');
  const url = new URL(long);
  if (url.username === '') url.username = 'git';
  // Parsers leave hosts of ssh as they are: 0x7f000001 must not pass for a name (NT-80).
  if (!/^[\w[]/.test(url.hostname) || !URL.canParse(`http://${url.hostname}`)) throw invalid('has no valid host');
  url.hostname = new URL(`http://${url.hostname}`).hostname;
  if (url.port === '22') url.port = '';
  const { pathname, username } = url;
  if (!/^[\w.+@%-]{1,128}$/.test(username) || !canDecode(pathname)) throw invalid('is not an ssh address');
  if (pathname.length < 2 || sshPath(text).startsWith('-')) throw invalid('names no repository');
  return url;
}

function canDecode(text: string): boolean {
  try {
    return decodeURIComponent(text) !== '';
  } catch {
    return false;
  }
}

/** DNS for guarded connections: every address of the name must be public, and the connection goes to one that was checked. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolveName(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '');
    const [first] = addresses;
    if (first === undefined || addresses.some(({ address }) => isPrivateAddress(address))) {
      return callback(privateAddress(hostname), '');
    }
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
  });
};

/** True for addresses that are no public unicast address. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return true;
  return notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function isPrivateHost(hostname: string): boolean {
  const bare = bareHost(hostname);
  if (isIP(bare) !== 0) return isPrivateAddress(bare);
  return isLoopback(bare) || !bare.includes('.') || /\.(?:local|internal|localdomain)\.?$/i.test(bare);
}

function isLoopback(hostname: string): boolean {
  const bare = bareHost(hostname);
  return (
    bare === '::1' ||
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
}

/** URLs put IPv6 addresses in brackets. */
function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** IANA's special-purpose registries. BlockList also matches IPv4 addresses that are mapped into IPv6. */
const notPublic = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6');
}

function invalid(reason: string, hint?: string): HawserError {
  return new HawserError('invalid-input', `The repository's URL ${reason}`, hint === undefined ? {} : { hint });
}

function privateAddress(hostname: string): HawserError {
  return new HawserError(
    'repository-unreachable',
    `${hostname} leads into a private network, which is not allowed here`,
    {
      hint: 'Repositories must have a public address.',
    },
  );
}
