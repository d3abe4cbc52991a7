/** What is used of ssh2 1.17 (github.com/mscdex/ssh2), whose package has no types of its own. */
declare module 'ssh2' {
  import type { EventEmitter } from 'node:events';
  import type { AddressInfo } from 'node:net';
  import type { Duplex, Readable } from 'node:stream';

  export interface Algorithms {
    kex: readonly string[];
    serverHostKey: readonly string[];
    cipher: readonly string[];
    hmac: readonly string[];
    compress: readonly string[];
  }

  /** `exit` comes before `close`, with a code or `null` and a signal. */
  export interface ClientChannel extends Duplex {
    stderr: Readable;
    close(): void;
  }

  export interface ParsedKey {
    type: string;
    getPublicSSH(): Buffer;
    verify(data: Buffer, signature: Buffer, hash?: string): boolean | Error;
  }

  export interface ConnectConfig {
    sock: Duplex;
    username: string;
    privateKey: string;
    passphrase?: string;
    hostVerifier: (key: Buffer) => boolean;
    algorithms: Algorithms;
    authHandler: readonly string[];
    readyTimeout: number;
    keepaliveInterval?: number;
  }

  export interface Client extends EventEmitter {
    connect(config: ConnectConfig): Client;
    exec(
      command: string,
      options: { env: Record<string, string> },
      done: (error: Error | undefined, channel: ClientChannel) => void,
    ): Client;
    end(): Client;
    destroy(): Client;
  }

  export interface ServerChannel extends Duplex {
    stderr: Duplex;
    exit(code: number): void;
  }

  export interface AuthContext {
    method: string;
    username: string;
    key: { algo: string; data: Buffer };
    blob?: Buffer;
    signature?: Buffer;
    hashAlgo?: string;
    accept(): void;
    reject(methods?: string[]): void;
  }

  export interface Server extends EventEmitter {
    listen(port: number, host: string, done: () => void): Server;
    address(): AddressInfo;
    close(done: () => void): Server;
  }

  interface Ssh2 {
    Client: new () => Client;
    Server: new (
      config: { hostKeys: readonly string[]; algorithms?: Partial<Algorithms> },
      connected: (client: EventEmitter & { end(): void }) => void,
    ) => Server;
    utils: {
      parseKey(key: string | Buffer, passphrase?: string): ParsedKey | ParsedKey[] | Error;
      generateKeyPairSync(
        type: 'ed25519' | 'ecdsa' | 'rsa',
        options?: { bits?: number; passphrase?: string; cipher?: string; comment?: string },
      ): { private: string; public: string };
    };
  }

  const ssh2: Ssh2;
  export { ssh2 as default };
}
