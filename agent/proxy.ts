import type { ProxyEnv } from 'node:http';
import { isIP, isIPv4 } from 'node:net';

/** The way out of a closed network. It is for the service and for AWS; the API server is never asked through it. */
export interface ProxySettings {
  /** Address of the proxy for https addresses, with user and password where it wants them: never to be shown as it is. */
  https?: string;
  /** The same for http addresses. */
  http?: string;
  /** What is reached directly, in the words of Node's `NO_PROXY`, separated by commas. */
  noProxy: string;
}

/**
 * What is in the cluster or on this machine is reached directly, whatever NO_PROXY says. KUBERNETES_SERVICE_HOST comes on top.
 */
const alwaysDirect = ['localhost', '127.0.0.0/8', '::1', '.svc', '.cluster.local'];

/**
 * Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY; lower case wins over upper case, as in curl and in Node. `proxy` is undefined where
 * none is set; `complain` is told of what is wrong, by variable and never with its value, because that may hold a password.
 */
export function readProxies(
  environment: Record<string, string | undefined>,
  complain: (variable: string, problem: string) => void,
): ProxySettings | undefined {
  const read = (upper: string, texts: { lower: string | undefined; upper: string | undefined }) => {
    const variable = texts.lower ? upper.toLowerCase() : upper;
    const text = (texts.lower || texts.upper)?.trim();
    return text ? proxyAddress(text, (problem) => complain(variable, problem)) : undefined;
  };
  const https = read('HTTPS_PROXY', { lower: environment['https_proxy'], upper: environment['HTTPS_PROXY'] });
  const http = read('HTTP_PROXY', { lower: environment['http_proxy'], upper: environment['HTTP_PROXY'] });
  if (https === undefined && http === undefined) return undefined;
  const listed = (environment['no_proxy'] || environment['NO_PROXY'] || '').split(/[\s,]+/);
  const entries = [...alwaysDirect, environment['KUBERNETES_SERVICE_HOST'] ?? '', ...listed];
  return {
    ...(https === undefined ? {} : { https }),
    ...(http === undefined ? {} : { http }),
    noProxy: [...new Set(entries.filter((entry) => entry !== '').map(noProxyEntry))].join(','),
  };
}

/** For `new Agent({ proxyEnv })`: an empty one means that no request goes through a proxy, whatever Node was started with. */
export function proxyEnvOf(proxy: ProxySettings | undefined): ProxyEnv {
  if (proxy === undefined) return {};
  return { HTTPS_PROXY: proxy.https, HTTP_PROXY: proxy.http, NO_PROXY: proxy.noProxy };
}

/** The address of a proxy without user and password. */
export function proxyName(address: string): string {
  return new URL(address).origin;
}

/**
 * Why a connection failed, where that is the proxy's doing or where the certificate is not trusted; undefined where it is neither.
 * Looks into causes and into errors of several tries. Never has the password.
 */
export function explainFailure(error: unknown, proxy: ProxySettings | undefined): string | undefined {
  for (const failure of failuresOf(error)) {
    if (untrusted.has(failure.code ?? '')) return untrustedText(failure.code ?? '', proxy);
    const found = proxy === undefined ? undefined : proxyTrouble(failure, proxy);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Failure {
  code?: string;
  statusCode?: number;
  hostname?: string;
  address?: string;
  port?: number;
  proxyTunnelTimeout?: number;
}

const untrusted = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function untrustedText(code: string, proxy: ProxySettings | undefined): string {
  const whose = proxy === undefined ? 'its authority' : 'its authority, or that of the proxy that intercepts,';
  return `the certificate is not trusted (${code}): give ${whose} in NODE_EXTRA_CA_CERTS (chart: caBundle or caConfigMap)`;
}

function proxyTrouble(failure: Failure, proxy: ProxySettings): string | undefined {
  if (failure.code === 'ERR_PROXY_TUNNEL') {
    const what = `the proxy ${proxyName(proxy.https ?? proxy.http ?? '')}`;
    if (failure.statusCode === 407) return `${what} does not take our user and password (407): see HTTPS_PROXY`;
    if (failure.statusCode !== undefined) return `${what} does not let us through (${failure.statusCode})`;
    return failure.proxyTunnelTimeout === undefined
      ? `${what} closed the connection`
      : `${what} did not answer within ${failure.proxyTunnelTimeout / 1000} s`;
  }
  const found = [proxy.https, proxy.http].find((address) => address !== undefined && isOf(failure, new URL(address)));
  return found === undefined ? undefined : `the proxy ${proxyName(found)} cannot be reached (${failure.code})`;
}

/** True for what the system said of a connection to this address: names are looked up before, so only the port is left of them. */
function isOf({ hostname, address, port }: Failure, proxy: URL): boolean {
  const host = proxy.hostname.replaceAll(/[[\]]/g, '');
  if (hostname !== undefined) return hostname === host;
  const at = Number(proxy.port || (proxy.protocol === 'https:' ? 443 : 80));
  return address !== undefined && port === at && (isIP(host) === 0 || host === address);
}

function* failuresOf(error: unknown, depth = 0): Generator<Failure> {
  if (!(error instanceof Error) || depth > 5) return;
  yield error as Failure;
  for (const inner of error instanceof AggregateError ? error.errors : []) yield* failuresOf(inner, depth + 1);
  yield* failuresOf(error.cause, depth + 1);
}

/** An address without a scheme is one of http, as curl and Go read it. Node would leave others out silently. */
function proxyAddress(text: string, complain: (problem: string) => void): string | undefined {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.hostname === '') complain('must be the address of a proxy, such as http://proxy:3128');
  else if (url.protocol !== 'http:' && url.protocol !== 'https:')
    complain(`must be the address of an http or https proxy, not ${url.protocol.replace(':', '')}`);
  else if (!decodes(url.username) || !decodes(url.password))
    complain('has a user or password that is not percent-encoded');
  else return full;
  return undefined;
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * An entry of NO_PROXY as Node understands it: it knows neither networks (a range of addresses says the same) nor that a name
 * stands for what is below it, too, as curl and Go have it.
 */
function noProxyEntry(entry: string): string {
  const bare = entry.replaceAll(/[[\]]/g, '').toLowerCase();
  const [network = '', bits = ''] = bare.split('/');
  if (bits !== '') return rangeOf(network, Number(bits)) ?? bare;
  const isName = isIP(bare) === 0 && !/^[.*]|:|^[\d.]+-/.test(bare);
  return isName ? `.${bare}` : bare;
}

function rangeOf(network: string, bits: number): string | undefined {
  if (!isIPv4(network) || !Number.isInteger(bits) || bits < 0 || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const address = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = Math.floor(address / size) * size;
  return `${dotted(first)}-${dotted(first + size - 1)}`;
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
