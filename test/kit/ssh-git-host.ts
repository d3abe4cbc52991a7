import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { EventEmitter } from 'node:events';
import ssh2 from 'ssh2';
import type { AuthContext, ParsedKey, ServerChannel } from 'ssh2';

/** What the host does wrong; every part can be changed while it runs. */
export interface SshFaults {
  /** Takes no variables, so that Git speaks protocol 0. */
  oldProtocol?: boolean;
  /** Runs instead of git; gives what to write, and the exit code. */
  instead?: (channel: ServerChannel, command: string) => void;
  /** Ends the connection after so many bytes of an answer. */
  cutAfter?: number;
  /** Changes output that holds a pack. */
  changePack?: (body: Buffer) => Buffer;
  /** Does not answer the request for a channel. */
  mute?: boolean;
}

/** sshd with git-upload-pack: the real git behind a server of ssh2, for one key. */
export interface SshGitHost {
  port: number;
  url: string;
  /** The key that it lets in, and its own keys as lines of known_hosts. */
  clientKey: { private: string; public: string };
  knownHosts: string;
  faults: SshFaults;
  commands: string[];
  logins: { user: string; algorithm: string }[];
  connections: () => number;
  stop(): Promise<void>;
}

export async function startSshGitHost(options: {
  root: string;
  hostKey?: 'ed25519' | 'rsa';
  clientKey?: { private: string; public: string };
}): Promise<SshGitHost> {
  const { utils } = ssh2;
  const hostKey = utils.generateKeyPairSync(
    options.hostKey ?? 'ed25519',
    options.hostKey === 'rsa' ? { bits: 2048 } : {},
  );
  const clientKey = options.clientKey ?? utils.generateKeyPairSync('ed25519');
  const allowed = utils.parseKey(clientKey.public) as ParsedKey;
  const clients = new Set<EventEmitter & { end(): void }>();
  let connections = 0;
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => {
    clients.add(client);
    connections += 1;
    // As sshd does; ssh2's server does not, and every answer would wait for the network's timer.
    (client as unknown as { _sock: Socket })._sock.setNoDelay(true);
    client.on('close', () => clients.delete(client));
    client.on('error', () => undefined);
    client.on('authentication', (context: AuthContext) => authenticate(host, allowed, context));
    client.on('session', (accept: () => EventEmitter, reject: () => void) => {
      if (host.faults.mute === true) return;
      void reject;
      serve(host, accept(), options.root, client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const host: SshGitHost = {
    port,
    url: `ssh://git@127.0.0.1:${port}`,
    clientKey,
    knownHosts: `[127.0.0.1]:${port} ${hostKey.public.split(' ').slice(0, 2).join(' ')}\n`,
    faults: {},
    commands: [],
    logins: [],
    connections: () => connections,
    async stop() {
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(resolve));
    },
  };
  return host;
}

function authenticate(host: SshGitHost, allowed: ParsedKey, context: AuthContext): void {
  if (context.method !== 'publickey' || !context.key.data.equals(allowed.getPublicSSH())) {
    context.reject(['publickey']);
    return;
  }
  if (context.signature !== undefined && context.blob !== undefined) {
    if (allowed.verify(context.blob, context.signature, context.hashAlgo) !== true) return context.reject();
    const { algo } = context.key;
    // ssh2 names the hash apart from the key: «ssh-rsa» with sha512 is rsa-sha2-512.
    const algorithm = algo === 'ssh-rsa' ? `${algo} ${context.hashAlgo ?? 'sha1'}` : algo;
    host.logins.push({ user: context.username, algorithm });
  }
  context.accept();
}

/** As sshd does, but without a shell: the path is taken out of its quotes as `sh` would. */
function serve(host: SshGitHost, session: EventEmitter, root: string, client: { end(): void }): void {
  let protocol = '';
  session.on('env', (accept: (() => void) | undefined, _reject: unknown, info: { key: string; val: string }) => {
    if (info.key === 'GIT_PROTOCOL' && host.faults.oldProtocol !== true) protocol = info.val;
    accept?.();
  });
  session.on('exec', (accept: () => ServerChannel, _reject: unknown, { command }: { command: string }) => {
    host.commands.push(command);
    const channel = accept();
    channel.on('error', () => undefined);
    if (host.faults.instead !== undefined) return host.faults.instead(channel, command);
    const [, quoted = ''] = /^git-upload-pack '(.*)'$/s.exec(command) ?? [];
    const path = quoted.replaceAll("'\\''", "'").replaceAll("'\\!'", '!');
    uploadPack(host, channel, client, join(root, path), protocol);
  });
}

function uploadPack(
  host: SshGitHost,
  channel: ServerChannel,
  client: { end(): void },
  path: string,
  protocol: string,
): void {
  const env = {
    PATH: process.env['PATH'] ?? '',
    GIT_PROTOCOL: protocol,
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  const child = spawn('git', ['upload-pack', path], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  channel.pipe(child.stdin);
  child.stdin.on('error', () => undefined);
  child.stderr.pipe(channel.stderr, { end: false });
  const { cutAfter, changePack } = host.faults;
  let sent = 0;
  if (changePack === undefined && cutAfter === undefined) child.stdout.pipe(channel, { end: false });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    if (changePack !== undefined) chunks.push(chunk);
    else if (cutAfter !== undefined) {
      channel.write(chunk.subarray(0, Math.max(0, cutAfter - sent)));
      sent += chunk.length;
      if (sent > cutAfter) client.end();
    }
  });
  child.on('close', (code) => {
    if (changePack !== undefined) {
      const body = Buffer.concat(chunks);
      channel.write(body.includes('PACK') ? Buffer.from(changePack(body)) : body);
    }
    channel.exit(code ?? 1);
    channel.end();
  });
}
