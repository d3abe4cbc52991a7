import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A forward proxy as companies have them, for names that only it knows. */
export interface TestProxy {
  port: number;
  /** `http://127.0.0.1:PORT`, with user and password where it wants them. */
  url: string;
  /** What it was asked: `CONNECT host:port`, `GET http://host/…`. */
  asked: string[];
  /** `silent`: takes the connection and says nothing; `cut`: ends it; a number: refuses with that status. */
  mood: 'serve' | 'silent' | 'cut' | number;
  /** Where it brings people, by host name; to the port that they asked for where it says nothing. */
  ports: Map<string, number>;
  close(): Promise<void>;
}

export async function startProxy(login?: string): Promise<TestProxy> {
  const sockets = new Set<Socket>();
  const isLetIn = (given: string | undefined) =>
    login === undefined || given === `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createServer((incoming, outgoing) => {
    proxy.asked.push(`${incoming.method} ${incoming.url}`);
    if (typeof proxy.mood === 'number' || !isLetIn(incoming.headers['proxy-authorization'])) {
      outgoing.writeHead(typeof proxy.mood === 'number' ? proxy.mood : 407).end('<html>no</html>');
      return;
    }
    const { hostname, port, pathname, search } = new URL(incoming.url ?? '');
    const { method, headers } = incoming;
    const to = { host: '127.0.0.1', port: proxy.ports.get(hostname) ?? port, path: pathname + search, method, headers };
    incoming.pipe(
      httpRequest(to, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      }),
    );
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request, socket: Socket) => {
    proxy.asked.push(`CONNECT ${request.url}`);
    socket.on('error', () => undefined);
    if (proxy.mood === 'silent') return;
    const status = isLetIn(request.headers['proxy-authorization']) ? proxy.mood : 407;
    if (status === 'cut') {
      socket.destroy();
      return;
    }
    if (typeof status === 'number') {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const [host = '', port] = (request.url ?? '').split(':');
    const onward = connect(proxy.ports.get(host) ?? Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
  });
  const port = await listen(server);
  const url = `http://${login === undefined ? '' : `${login.split(':').map(encodeURIComponent).join(':')}@`}127.0.0.1:${port}`;
  const proxy: TestProxy = {
    port,
    url,
    asked: [],
    mood: 'serve',
    ports: new Map(),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

/** Listens on a free port of this machine. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A certificate for these names that is its own authority. */
export function certificateFor(names: string[]): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-certificate-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
    const subject = ['-subj', `/CN=${names[0]}`, '-addext', alternatives, '-days', '2'];
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', [...args, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
