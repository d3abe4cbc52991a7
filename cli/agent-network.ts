import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { AgentNetwork } from '#functions/api/install-command.ts';
import type { ClusterInstall } from '#shared/messages/api.ts';
import type { Context } from './context.ts';
import { usage } from './failure.ts';
import { remark } from './output/print.ts';

/** Options that say how an agent gets out of its network. */
export interface NetworkOptions {
  proxy?: string;
  proxySecret?: string;
  noProxy?: string;
  caFile?: string;
}

/** Bytes; an argument of a command can be no longer than 128 KiB (MAX_ARG_STRLEN), and the text is written as JSON. */
const caLimit = 65_536;

/** Adds the options to a command that prints how an agent is installed. */
export function withNetworkOptions(command: Command): Command {
  const noProxy = new Option('--no-proxy <list>', 'names, addresses and networks that are reached without the proxy');
  // By its name alone it would be taken for the negation of --proxy.
  noProxy.negate = false;
  return command
    .option('--proxy <url>', "the agent's proxy, for the service and AWS: http://HOST:PORT")
    .option('--proxy-secret <name>', 'Secret in hawser-system that holds its address, because that has a password')
    .addOption(noProxy)
    .option('--ca-file <file>', 'certificate authorities of the service or the proxy, as PEM');
}

/** Reads and checks what the options say, without asking anybody. Messages never have the address, which may hold a password. */
export function readNetwork(cwd: string, options: NetworkOptions): AgentNetwork {
  const { proxy, proxySecret, noProxy, caFile } = options;
  if (proxySecret !== undefined && !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(proxySecret))
    throw usage('--proxy-secret is not the name of a Secret', 'Use a-z, 0-9, - and dots.');
  if (noProxy !== undefined && proxy === undefined && proxySecret === undefined)
    throw usage('--no-proxy goes with --proxy or --proxy-secret only');
  const url = proxy === undefined ? undefined : readProxy(proxy);
  const direct = noProxy === undefined ? {} : { noProxy: readNoProxy(noProxy) };
  const ca = caFile === undefined ? {} : { caBundle: readAuthorities(cwd, caFile) };
  if (proxySecret !== undefined) {
    const ports = url === undefined ? {} : { ports: [portOf(url)] };
    return { proxy: { secret: proxySecret, ...direct, ...ports }, ...ca };
  }
  return url === undefined ? ca : { proxy: { https: addressOf(url), ...direct }, ...ca };
}

/** The same with the proxy also for a service that is itself reached over http. */
export function fitToServer(network: AgentNetwork, { values }: ClusterInstall): AgentNetwork {
  const https = network.proxy?.https;
  if (https === undefined || !/^http:/i.test(String(values['server']))) return network;
  return { ...network, proxy: { ...network.proxy, http: https } };
}

/** Says what is unwise in what was given. */
export function warnOfNetwork(context: Context, { proxy, proxySecret }: NetworkOptions): void {
  if (proxy === undefined || proxySecret !== undefined || readProxy(proxy).password === '') return;
  remark(
    context,
    'warning: the password of the proxy stands in this command, so in the history of the shell and in the values of the release.',
  );
  remark(
    context,
    'Rather put the address into a Secret (namespace hawser-system, keys HTTPS_PROXY and HTTP_PROXY) and name it with --proxy-secret.\n',
  );
}

const example = 'Write it as http://HOST:PORT; in a user or password characters such as @ : / # are percent-encoded.';

function readProxy(text: string): URL {
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.hostname === '' || /[\p{Cc}\s"'\\]/u.test(full))
    throw usage('--proxy is not the address of a proxy', example);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw usage('--proxy must be an http or https proxy; SOCKS is not supported', example);
  if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    throw usage('--proxy has more than host and port', example);
  if (!decodes(url.username) || !decodes(url.password))
    throw usage('--proxy has a user or password that is not percent-encoded', example);
  return url;
}

function addressOf(url: URL): string {
  return url.href.replace(/\/$/, '');
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

function readNoProxy(text: string): string[] {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const wrong = entries.find((entry) => !/^[A-Za-z0-9.:*/_[\]-]+$/.test(entry));
  if (wrong !== undefined || entries.length === 0)
    throw usage(
      `--no-proxy has ${wrong === undefined ? 'no entry' : `an entry that is none: ${JSON.stringify(wrong.slice(0, 80))}`}`,
      'Write names, addresses and networks with commas between: 10.0.0.0/8,corp.example.',
    );
  return entries;
}

function readAuthorities(cwd: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(resolve(cwd, file), 'utf8');
  } catch (error) {
    const { code } = error as { code?: string };
    throw usage(`--ca-file: ${file} cannot be read${code === undefined ? '' : ` (${code})`}`);
  }
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text))
    throw usage('--ca-file holds a private key', 'Give certificates only: they are written into the command.');
  // Comments, as the bundles of distributions have them, are left out.
  const found = text.match(/-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0)
    throw usage('--ca-file holds no certificate', 'It must be in PEM form (-----BEGIN CERTIFICATE-----).');
  const bundle = `${found.map((one) => one.replaceAll(/\r\n?/g, '\n')).join('\n')}\n`;
  if (bundle.length > caLimit)
    throw usage(
      `--ca-file holds more than ${caLimit} bytes of certificates`,
      'Give the authorities that are needed only, or put them into a ConfigMap and set caConfigMap.',
    );
  return bundle;
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
