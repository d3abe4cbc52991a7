import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';

/** Every file of one sandbox, below its data directory. */
export interface SandboxPaths {
  root: string;
  etcdData: string;
  logs: string;
  certs: string;
  servingCert: string;
  serviceAccountKey: string;
  serviceAccountPublicKey: string;
  tokenFile: string;
  ports: string;
  run: string;
  lock: string;
  kubeconfig: string;
  auditLog: string;
  auditPolicy: string;
  schedulerConfig: string;
}

/** Who talks to the API server with a token of their own, so that the audit log tells them apart. */
export const users = ['admin', 'kube-controller-manager', 'kube-scheduler', 'kwok'] as const;
export type User = (typeof users)[number];
export type Tokens = Record<User, string>;

const createKeyPair = promisify(generateKeyPair);
const renewBefore = 7 * 24 * 3600 * 1000;

/** Names the files of a sandbox; creates nothing. */
export function pathsOf(root: string): SandboxPaths {
  const certs = join(root, 'pki');
  return {
    root,
    etcdData: join(root, 'etcd'),
    logs: join(root, 'logs'),
    certs,
    servingCert: join(certs, 'apiserver.crt'),
    serviceAccountKey: join(certs, 'service-account.key'),
    serviceAccountPublicKey: join(certs, 'service-account.pub'),
    tokenFile: join(certs, 'tokens.csv'),
    ports: join(root, 'ports.json'),
    run: join(root, 'run.json'),
    lock: join(root, 'start.lock'),
    kubeconfig: join(root, 'kubeconfig'),
    auditLog: join(root, 'logs', 'audit.log'),
    auditPolicy: join(root, 'audit-policy.yaml'),
    schedulerConfig: join(root, 'scheduler.yaml'),
  };
}

/** The kubeconfig file of a user; the admin's is the one that is handed out. */
export function kubeconfigOf(paths: SandboxPaths, user: User): string {
  return user === 'admin' ? paths.kubeconfig : join(paths.certs, `${user}.kubeconfig`);
}

/** Makes the folders, keys and tokens that are not there yet; what is there stays. Returns the tokens. */
export async function prepareDataDir(paths: SandboxPaths): Promise<Tokens> {
  for (const folder of [paths.root, paths.etcdData, paths.certs]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  // etcd insists on a folder that only its owner can read.
  await chmod(paths.etcdData, 0o700);
  await mkdir(paths.logs, { recursive: true });
  await dropExpiredCertificate(paths);
  const [tokens] = await Promise.all([ensureTokens(paths), ensureServiceAccountKeys(paths)]);
  return tokens;
}

/** The text of a token file: everyone is in system:masters, under a name of their own. */
export function renderTokenFile(tokens: Tokens): string {
  return users.map((user) => `${tokens[user]},${userName(user)},${user},"system:masters"\n`).join('');
}

/** Reads a token file back; undefined if a user is missing from it. */
export function parseTokenFile(text: string): Tokens | undefined {
  const byUid = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [token, , uid] = line.split(',');
    if (token !== undefined && uid !== undefined) byUid.set(uid, token);
  }
  if (!users.every((user) => byUid.has(user))) return undefined;
  return Object.fromEntries(users.map((user) => [user, byUid.get(user)])) as Tokens;
}

/** A kubeconfig with one cluster, one user and one context. `ca` is PEM. */
export function renderKubeconfig(options: { name: string; server: string; ca: string; token: string }): string {
  const { name, server, ca, token } = options;
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}

/** Writes a file so that a reader sees the old or the new content, never a part; for the owner's eyes only. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}

function userName(user: User): string {
  return user === 'admin' ? 'admin' : `system:${user}`;
}

async function ensureTokens(paths: SandboxPaths): Promise<Tokens> {
  const known = parseTokenFile(await readFile(paths.tokenFile, 'utf8').catch(() => ''));
  if (known !== undefined) return known;
  const tokens = Object.fromEntries(users.map((user) => [user, randomBytes(24).toString('base64url')])) as Tokens;
  await writeWhole(paths.tokenFile, renderTokenFile(tokens));
  return tokens;
}

async function ensureServiceAccountKeys(paths: SandboxPaths): Promise<void> {
  if (existsSync(paths.serviceAccountKey) && existsSync(paths.serviceAccountPublicKey)) return;
  const { privateKey, publicKey } = await createKeyPair('rsa', { modulusLength: 2048 });
  await writeWhole(paths.serviceAccountPublicKey, publicKey.export({ type: 'spki', format: 'pem' }).toString());
  await writeWhole(paths.serviceAccountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }).toString());
}

/** The API server makes its certificate when there is none, but keeps an expired one. */
async function dropExpiredCertificate(paths: SandboxPaths): Promise<void> {
  const pem = await readFile(paths.servingCert, 'utf8').catch(() => undefined);
  if (pem === undefined || isFresh(pem)) return;
  await rm(paths.servingCert, { force: true });
  await rm(join(paths.certs, 'apiserver.key'), { force: true });
}

function isFresh(pem: string): boolean {
  try {
    return Date.parse(new X509Certificate(pem).validTo) > Date.now() + renewBefore;
  } catch {
    return false;
  }
}
