import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import type { Client, ClientChannel, ConnectConfig } from 'ssh2';

import type { RepositoryCredentials } from '../../domain/repository-credentials.ts';
import { HawserError } from '../../errors.ts';
import { publicLookup } from './address.ts';
import { fingerprint, isTrusted, keyType } from './known-hosts.ts';
import type { KnownKeys } from './known-hosts.ts';
import { printable } from './remote.ts';

export type SshCredentials = Extract<RepositoryCredentials, { kind: 'ssh' }>;

/** One connection to a host, on which many channels can be opened. */
export interface SshClient {
  exec(command: string): Promise<ClientChannel>;
  /** False once it has ended, whoever ended it. */
  isOpen(): boolean;
  /** Whether it keeps the process running. */
  hold(isHeld: boolean): void;
  end(): void;
}

export interface SshTarget {
  host: string;
  port: number;
  user: string;
  credentials: SshCredentials;
  known: KnownKeys;
}

/**
 * Algorithms that are used. Without SHA-1, CBC and ChaCha20 (which would be a part in C++ or WebAssembly; every host offers AES);
 * with the exchanges and MACs of hosts that have nothing newer, which are not broken.
 */
const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group-exchange-sha256',
  ],
  cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes192-ctr', 'aes128-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} as const;

/** Signatures by the type of the host's key: `ssh-rsa` as a signature is SHA-1, and not among them. */
const signatures: Record<string, readonly string[]> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/**
 * Connects and logs in. The host's key is compared before anything is sent that is ours: an unknown one is refused, and
 * none is ever learnt (NT-27). `seconds` bounds all of it.
 */
export async function openSsh(
  target: SshTarget,
  options: { denyPrivateAddresses: boolean; seconds: number },
): Promise<SshClient> {
  // Read when it is needed: most services and every webhook do without.
  const { default: ssh2 } = await import('ssh2');
  const key = ssh2.utils.parseKey(target.credentials.privateKey, target.credentials.passphrase);
  if (key instanceof Error) throw unreadableKey(target.credentials.passphrase !== undefined);
  const client = new ssh2.Client();
  const socket = connectSocket({
    host: target.host.replace(/^\[(.*)\]$/, '$1'),
    port: target.port,
    noDelay: true,
    ...(options.denyPrivateAddresses ? { lookup: publicLookup } : {}),
  });
  let refused: HawserError | undefined;
  const config: ConnectConfig = {
    sock: socket,
    username: target.user,
    privateKey: target.credentials.privateKey,
    ...(target.credentials.passphrase === undefined ? {} : { passphrase: target.credentials.passphrase }),
    algorithms: { ...algorithms, serverHostKey: signaturesFor(target.known) },
    authHandler: ['publickey'],
    readyTimeout: options.seconds * 1000,
    hostVerifier(presented) {
      if (isTrusted(target.known, presented)) return true;
      refused = unknownKey(target, presented);
      return false;
    },
  };
  let isOpen = true;
  client.on('close', () => (isOpen = false));
  // Stays for good: an error that comes when nobody waits for one ends the channels, and must not end the process.
  client.on('error', () => (isOpen = false));
  try {
    await ready(client, socket, config);
  } catch (error) {
    client.destroy();
    throw refused ?? connectError(target, error);
  }
  return {
    exec: (command) => exec(client, command),
    isOpen: () => isOpen,
    hold: (isHeld) => void (isHeld ? socket.ref() : socket.unref()),
    end: () => void client.end(),
  };
}

function ready(client: Client, socket: Socket, config: ConnectConfig): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.once('ready', () => resolve());
  client.once('error', reject);
  client.once('close', () => reject(new Error('the connection was closed')));
  socket.on('error', reject);
  client.connect(config);
  return promise;
}

/** `GIT_PROTOCOL` asks for protocol 2; a host that takes no variables answers with 0. */
function exec(client: Client, command: string): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  const closed = (): void => reject(new Error('the connection was closed'));
  client.once('close', closed);
  client.exec(command, { env: { GIT_PROTOCOL: 'version=2' } }, (error, channel) => {
    client.off('close', closed);
    if (error === undefined) resolve(channel);
    else reject(error);
  });
  return promise;
}

/** Only signatures of keys that are known for the host: else it might show one that nobody has listed. */
function signaturesFor({ trusted }: KnownKeys): string[] {
  const types = trusted.length === 0 ? Object.keys(signatures) : [...new Set(trusted.map(({ type }) => type))];
  const wanted = types.flatMap((type) => signatures[type] ?? []);
  return wanted.length === 0 ? Object.values(signatures).flat() : wanted;
}

function unknownKey({ host, port, known }: SshTarget, key: Buffer): HawserError {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const shown = `${printable(keyType(key))} ${fingerprint(key)}`;
  const why =
    known.trusted.length === 0 ? 'No host key is known for' : 'Another host key than the known ones is shown by';
  return new HawserError('repository-auth-failed', `${why} ${name}: it shows ${shown}`, {
    data: { host, port, fingerprint: fingerprint(key) },
    hint: `Compare the fingerprint with what the host's operator publishes; if it is right, give the key with \`hawser repo add URL --ssh-private-key-path FILE --known-hosts FILE\` (a line of \`ssh-keyscan -p ${port} ${host}\`).`,
  });
}

function unreadableKey(hasPassphrase: boolean): HawserError {
  return new HawserError('repository-auth-failed', 'The private SSH key cannot be read', {
    hint: hasPassphrase
      ? 'Check its passphrase; keys are taken in the form of OpenSSH or PEM.'
      : 'If it has a passphrase, give that, too; keys are taken in the form of OpenSSH or PEM.',
  });
}

/** Errors of ssh2 hold what the host said and no secret; its causes are left out all the same. */
function connectError({ host, user }: SshTarget, error: unknown): HawserError {
  if (error instanceof HawserError) return error;
  const { level, message } = error as { level?: string; message?: string };
  if (level === 'client-authentication') {
    return new HawserError('repository-auth-failed', `${host} refuses this SSH key for user ${user}`, {
      data: { host },
      hint: 'Check that the public key is registered at the host, as deploy key of the repository or key of a user.',
    });
  }
  return new HawserError('repository-unreachable', `${host} cannot be reached over ssh: ${printable(message ?? '')}`, {
    retry: 'later',
    data: { host },
  });
}
