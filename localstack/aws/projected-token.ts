import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { HawserError, messageOf } from '#shared/errors.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { agentAudience } from '#shared/messages/agent-identity.ts';
import type { Log } from '#shared/ports/log.ts';

/** As the agent's chart names them. */
const namespace = 'hawser-system';
const serviceAccount = 'hawser-agent';
const labels = { 'app.kubernetes.io/managed-by': 'hawser' };
/** What a projected volume asks for. */
const lifeSeconds = 3600;
/** The kubelet renews a projected token when four fifths of its life are over (Kubernetes: "ServiceAccount token volume projection"). */
const renewAt = 0.8;
const tryAgainMs = 10_000;

const Issued = z.object({ status: z.object({ token: z.string().min(1), expirationTimestamp: z.string() }) });

/** A token, or the refusal in the API server's words. */
type Answer = { token: string; renewInMs: number } | { status: number; message: string };

interface Kube {
  /** POST; any status is an answer. Throws `cluster-unreachable` where there is none. */
  post(path: string, body: object): Promise<{ status: number; text: string }>;
  close(): void;
}

/**
 * Does what the kubelet does for a projected ServiceAccount token: asks the cluster for one with the audience `hawser`, with the
 * rights of the kubeconfig; writes it to `file`, and renews it there until it is stopped. Namespace and ServiceAccount are
 * made where they are missing, and stay. `refused`: why this kubeconfig may not do that. Throws `cluster-unreachable`.
 */
export async function projectToken(options: {
  kubeconfig: string;
  file: string;
  log: Log;
}): Promise<{ stop(): void } | { refused: string }> {
  const kube = await openCluster(options.kubeconfig);
  let timer: NodeJS.Timeout | undefined;
  const renewIn = (milliseconds: number) => {
    timer = setTimeout(() => void renew(), milliseconds);
  };
  const renew = async () => {
    try {
      const answer = await requestToken(kube);
      if (!('token' in answer)) throw new HawserError('unavailable', answer.message);
      writeToken(options.file, answer.token);
      renewIn(answer.renewInMs);
    } catch (error) {
      const reason = messageOf(error);
      options.log.warn({ reason }, 'the ServiceAccount token could not be renewed, will be tried again');
      renewIn(tryAgainMs);
    }
  };
  const stop = () => {
    clearTimeout(timer);
    kube.close();
  };
  try {
    const first = await firstToken(kube);
    if ('token' in first) {
      writeToken(options.file, first.token);
      renewIn(first.renewInMs);
      return { stop };
    }
    stop();
    return { refused: first.message };
  } catch (error) {
    stop();
    throw error;
  }
}

/** What is there is only used; what is missing is made, as far as this kubeconfig may. */
async function firstToken(kube: Kube): Promise<Answer> {
  const found = await requestToken(kube);
  if ('token' in found || found.status !== 404) return found;
  const objects: [path: string, object: object][] = [
    ['/api/v1/namespaces', { kind: 'Namespace', metadata: { name: namespace, labels } }],
    [
      `/api/v1/namespaces/${namespace}/serviceaccounts`,
      { kind: 'ServiceAccount', metadata: { name: serviceAccount, namespace, labels } },
    ],
  ];
  for (const [path, object] of objects) {
    const { status, text } = await kube.post(path, { apiVersion: 'v1', ...object });
    // Who may not make it may still use it, where it is there already.
    if (status >= 300 && status !== 409 && status !== 403) return { status, message: refusalOf(path, status, text) };
  }
  return requestToken(kube);
}

async function requestToken(kube: Kube): Promise<Answer> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const { status, text } = await kube.post(path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [agentAudience], expirationSeconds: lifeSeconds },
  });
  if (status >= 300) return { status, message: refusalOf(path, status, text) };
  const issued = Issued.parse(JSON.parse(text)).status;
  const lifeMs = Date.parse(issued.expirationTimestamp) - Date.now();
  return { token: issued.token, renewInMs: Math.max(tryAgainMs, renewAt * Math.min(lifeMs, lifeSeconds * 1000)) };
}

function refusalOf(path: string, status: number, text: string): string {
  return `POST ${path} was answered with ${status}: ${text.slice(0, 300)}`;
}

/** Whoever reads it sees the old or the new one, never a part. */
function writeToken(file: string, token: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, token, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** As the agent opens it: tokens, certificates, exec plugins. Its Kubernetes client is loaded only here, because it is large. */
async function openCluster(kubeconfig: string): Promise<Kube> {
  const { openConnection } = await import('#agent/cluster/connection.ts');
  const { createRequests } = await import('#agent/cluster/requests.ts');
  const connection = openConnection({ kubeconfig });
  const requests = createRequests({ connection, clock: createSystemClock(), userAgent: 'hawser-start' });
  return {
    post: async (path, body) => requests.send({ method: 'POST', path, body: JSON.stringify(body) }),
    close: () => requests.close(),
  };
}
