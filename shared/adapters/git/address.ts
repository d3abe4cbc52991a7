import { lookup as resolveName } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';

import { HawserError } from '../../errors.ts';

/** Which addresses may be called. */
export interface AddressRules {
  /** Plain http beyond loopback. */
  allowInsecureHttp: boolean;
  /** Refuse names and addresses that lead into private networks (NT-80). */
  denyPrivateAddresses: boolean;
}

/**
 * The address of a repository as a URL without user and trailing slash, or `invalid-input`/`unsupported` with the reason.
 * Checked on the text as well as on the parsed URL, because parsers disagree on both (NT-25, NT-26).
 */
export function repositoryUrl(text: string, rules: AddressRules): URL {
  if (/^(?:ssh|git):\/\//i.test(text) || /^[\w.-]+@[\w.-]+:/.test(text)) {
    throw new HawserError('unsupported', 'Repositories are read over https, not over ssh', {
      hint: 'Use the https address of the repository with a token.',
    });
  }
  if (/[\p{Cc}\s\\]|%(?:0[0-9a-f]|1[0-9a-f]|7f)/iu.test(text)) throw invalid('holds characters that no address has');
  if (!/^https?:\/\/[^/?#]/i.test(text) || !URL.canParse(text)) throw invalid('is not an http or https address');
  const url = new URL(text);
  if (url.password !== '')
    throw invalid('holds a password', 'Hand in credentials with the repository, not in its URL.');
  if (url.search !== '' || url.hash !== '') throw invalid('has a query or a fragment');
  if (url.protocol === 'http:' && !rules.allowInsecureHttp && !isLoopback(url.hostname)) {
    throw invalid('is plain http', 'Use https: credentials and manifests would pass in clear.');
  }
  if (rules.denyPrivateAddresses && isPrivateHost(url.hostname)) throw privateAddress(url.hostname);
  url.username = '';
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
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
