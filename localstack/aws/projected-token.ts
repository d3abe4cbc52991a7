import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parse } from 'yaml';
import { HawserError, messageOf } from '#shared/errors.ts';
import { agentAudience } from '#shared/messages/agent-identity.ts';
import type { Log } from '#shared/ports/log.ts';
import { createKubeClient, type KubeClient } from '../cluster/kube-client.ts';

/** As the agent's chart names them. */
const namespace = 'hawser-system';
const serviceAccount = 'hawser-agent';
/** What a projected volume asks for. */
const lifeSeconds = 3600;
/** The kubelet renews a projected token when four fifths of its life are over (Kubernetes: "ServiceAccount token volume projection"). */
const renewAt = 0.8;
const tryAgainMs = 10_000;

/**
 * Does what the kubelet does for a projected ServiceAccount token: asks the cluster for one with the audience `hawser`, writes it
 * to `file`, and renews it there until it is stopped. Throws where the cluster gives none.
 */
export async function projectToken(options: { kubeconfig: string; file: string; log: Log }): Promise<{ stop(): void }> {
  const kube = clientOf(options.kubeconfig);
  let timer: NodeJS.Timeout | undefined;
  const renew = async () => {
    try {
      writeToken(options.file, await requestToken(kube));
      timer = setTimeout(() => void renew(), renewAt * lifeSeconds * 1000);
    } catch (error) {
      options.log.warn(
        { reason: messageOf(error) },
        'the ServiceAccount token could not be renewed, will be tried again',
      );
      timer = setTimeout(() => void renew(), tryAgainMs);
    }
  };
  await kube.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: serviceAccount, namespace } };
  await kube.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, account);
  writeToken(options.file, await requestToken(kube));
  timer = setTimeout(() => void renew(), renewAt * lifeSeconds * 1000);
  return {
    stop() {
      clearTimeout(timer);
      kube.close();
    },
  };
}

async function requestToken(kube: KubeClient): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const answer = await kube.request('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [agentAudience], expirationSeconds: lifeSeconds },
  });
  const token =
    answer.status < 300 ? (JSON.parse(answer.text) as { status?: { token?: string } }).status?.token : undefined;
  if (token !== undefined) return token;
  throw new HawserError(
    'unavailable',
    `the cluster gave no ServiceAccount token: ${answer.status} ${answer.text.slice(0, 300)}`,
  );
}

/** Whoever reads it sees the old or the new one, never a part. */
function writeToken(file: string, token: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, token, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** With the rights of a sandbox's kubeconfig, which has a CA and a token. */
function clientOf(kubeconfig: string): KubeClient {
  const config = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    users: { user: { token: string } }[];
  };
  const cluster = config.clusters[0]?.cluster;
  return createKubeClient({
    server: cluster?.server ?? '',
    ca: Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString(),
    token: config.users[0]?.user.token ?? '',
  });
}
