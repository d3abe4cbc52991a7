import { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { HawserError, messageOf } from '#shared/errors.ts';

/** TLS material and headers for the next request; a new `tls` object means that connections must be opened anew. */
export interface Access {
  tls: { ca?: Certificate; cert?: Certificate; key?: Certificate; servername?: string; rejectUnauthorized?: boolean };
  headers: Record<string, string>;
}

type Certificate = string | Buffer | (string | Buffer)[];

/** Where the API server is and how to be let in. */
export interface Connection {
  server: URL;
  /** The kubeconfig's `proxy-url`: the only way to have the API server asked through a proxy. */
  proxy?: string;
  /** Cached for half a minute; `fresh` asks again (after a 401, when a token file or an exec plugin has something newer). */
  access(fresh?: boolean): Promise<Access>;
}

export interface ConnectionSettings {
  /** Path of a kubeconfig; absent: the pod's ServiceAccount. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

const cachedFor = 30_000;

/**
 * Reads a kubeconfig (tokens, certificates, exec plugins, OIDC) or the pod's ServiceAccount.
 * Throws `invalid-input` where neither names a cluster.
 */
export function openConnection(settings: ConnectionSettings, now: () => number = Date.now): Connection {
  const config = loadConfig(settings);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new HawserError('invalid-input', `The kubeconfig ${settings.kubeconfig ?? ''} has no current cluster`, {
      hint: 'Set KUBECONFIG to a file with a current context, or run the agent inside the cluster.',
    });
  }
  const proxy = cluster.proxyUrl;
  if (proxy !== undefined && !/^https?:\/\//.test(proxy)) {
    throw new HawserError(
      'invalid-input',
      'The proxy-url of the kubeconfig is not the address of an http or https proxy',
    );
  }
  // Proxies are ours: the library's own (and what they load) are left out of the bundle.
  config.clusters = config.clusters.map(({ proxyUrl: _, ...others }) => others);
  let cached: { access: Access; until: number } | undefined;
  return {
    server: new URL(cluster.server),
    ...(proxy === undefined ? {} : { proxy }),
    async access(fresh = false) {
      if (cached !== undefined && !fresh && now() < cached.until) return cached.access;
      const access = await readAccess(config);
      // Keeping the old TLS material where nothing changed keeps the open connections.
      const same = cached !== undefined && JSON.stringify(cached.access.tls) === JSON.stringify(access.tls);
      cached = {
        access: { ...access, tls: same && cached ? cached.access.tls : access.tls },
        until: now() + cachedFor,
      };
      return cached.access;
    },
  };
}

function loadConfig(settings: ConnectionSettings): KubeConfig {
  const config = new KubeConfig();
  try {
    if (settings.kubeconfig === undefined) config.loadFromCluster();
    else config.loadFromFile(settings.kubeconfig);
    if (settings.context !== undefined) config.setCurrentContext(settings.context);
  } catch (error) {
    throw new HawserError('invalid-input', `The kubeconfig cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return config;
}

async function readAccess(config: KubeConfig): Promise<Access> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new HawserError('cluster-unreachable', `No credentials for the cluster: ${messageOf(error)}`, {
      cause: error,
      retry: 'later',
    });
  }
  const headers = { ...(options.headers as Record<string, string> | undefined) };
  if (typeof options.auth === 'string') {
    headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(([, value]) => value !== undefined),
  ) as Access['tls'];
  return { tls, headers };
}
