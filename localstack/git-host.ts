import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';

import { openBackend } from './git-host/backend.ts';
import type { Backend } from './git-host/backend.ts';
import { isZero, pushEvent } from './git-host/push-event.ts';
import { createReceiveLog } from './git-host/receive-log.ts';
import type { RefCommand } from './git-host/receive-log.ts';
import { followFirstBranch, isRepositoryName, openRepositories, plainName, readRef } from './git-host/repositories.ts';
import type { Repositories } from './git-host/repositories.ts';
import { createWebhookSender } from './git-host/webhook-sender.ts';
import type { WebhookSender, WebhookTarget } from './git-host/webhook-sender.ts';

export type { WebhookTarget } from './git-host/webhook-sender.ts';

/** A running Git host: `url/NAME.git` for every repository, `url/TEAM/NAME.git` too. */
export interface GitHost {
  /** `http://127.0.0.1:PORT` */
  url: string;
  stop(): Promise<void>;
  /** Creates the repository where it is missing; gives the path of its bare folder. */
  ensureRepository(name: string): Promise<string>;
  repositoryPath(name: string): string;
}

/** One ref that a push has moved. */
export interface PushInfo {
  /** Without `.git`. */
  repository: string;
  ref: string;
  /** All zeros where the ref is new. */
  before: string;
  /** All zeros where the ref is gone. */
  after: string;
  created: boolean;
  deleted: boolean;
}

/** What a Git host needs. */
export interface GitHostOptions {
  /** The folder of bare repositories. */
  root: string;
  /** Any free one, unless given. */
  port?: number;
  /** Where this repository's pushes are to be announced. */
  webhook?: (repository: string) => Promise<WebhookTarget | undefined>;
  /** Called at the same moment as the webhook is sent. */
  onPush?: (push: PushInfo) => void;
  log?: (line: string) => void;
}

interface Host {
  url: string;
  repositories: Repositories;
  backend: Backend;
  sender: WebhookSender;
  options: GitHostOptions;
  log: (line: string) => void;
}

type Target = Promise<WebhookTarget | undefined>;

/** Starts a Git host on loopback. Whoever can reach it may read and push: it is for demos and tests. */
export async function startGitHost(options: GitHostOptions): Promise<GitHost> {
  const root = resolve(options.root);
  mkdirSync(root, { recursive: true });
  const log = options.log ?? (() => {});
  const backend = await openBackend(root, log);
  const host: Host = {
    url: '',
    repositories: openRepositories(root),
    backend,
    sender: createWebhookSender(log),
    options,
    log,
  };
  // No limit on the whole request: a large push takes as long as it takes.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    handle(host, request, response).catch((error: unknown) => {
      log(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`);
      if (!response.headersSent) text(response, 500, 'Something went wrong here; the log says what.\n');
      else response.destroy();
    });
  });
  host.url = `http://127.0.0.1:${await listen(server, options.port ?? 0)}`;

  return {
    url: host.url,
    ensureRepository: (name) => host.repositories.ensure(name),
    repositoryPath: (name) => host.repositories.path(name),
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      host.sender.stop();
      await host.backend.stop();
      await closed;
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve: done, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(port, '127.0.0.1', () => {
    server.off('error', reject);
    done((server.address() as AddressInfo).port);
  });
  return promise;
}

async function handle(host: Host, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!isLocal(request.headers.host)) return text(response, 403, 'This Git host answers to local addresses only.\n');
  const { pathname, search } = new URL(request.url ?? '/', host.url);
  const route = /^\/(.+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(pathname);
  const [, name = '', service = ''] = route ?? [];
  if (route === null) return explain(host, request, response, pathname);
  if (!isRepositoryName(name)) return text(response, 404, 'No repository can have this name.\n');

  const query = search.slice(1);
  const isPush = service === 'git-receive-pack' || query === 'service=git-receive-pack';
  if (isPush) await host.repositories.ensure(name);
  else if (!host.repositories.exists(name))
    return text(response, 404, 'No such repository: push to it to create it.\n');

  const call = { request, response, path: `/${name}.git/${service}`, query, finish: service === 'git-receive-pack' };
  if (service === 'git-receive-pack') await receive(host, name, call);
  else await host.backend.serve(call);
}

/** Serves a push and announces it as soon as Git has said that the refs have moved, not when the client has gone. */
async function receive(host: Host, repository: string, call: Parameters<Backend['serve']>[0]): Promise<void> {
  const path = host.repositories.path(repository);
  let target: Target = Promise.resolve(undefined);
  const tap = createReceiveLog({
    // While Git unpacks there is time to find out whom to tell.
    commands() {
      target = findTarget(host, repository);
    },
    accepted: (commands) => announce(host, repository, commands, target),
  });
  const isDone = await host.backend.serve({ ...call, tap });
  if (!isDone || tap.reports()) return;
  const moved = tap.commands().filter(({ ref, after }) => (readRef(path, ref) ?? zeros(after)) === after);
  announce(host, repository, moved, target);
}

async function findTarget(host: Host, repository: string): Target {
  try {
    return await host.options.webhook?.(repository);
  } catch (error) {
    host.log(`no webhook for ${repository}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function announce(host: Host, repository: string, commands: RefCommand[], target: Target): void {
  const path = host.repositories.path(repository);
  followFirstBranch(
    path,
    commands.filter((command) => isZero(command.before)).map((command) => command.ref),
  );
  for (const command of commands) {
    callBack(host, { repository, ...command, created: isZero(command.before), deleted: isZero(command.after) });
    void sendEvent(host, repository, command, target);
  }
}

function callBack(host: Host, push: PushInfo): void {
  try {
    host.options.onPush?.(push);
  } catch (error) {
    host.log(`onPush failed for ${push.repository}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Never fails: a push that went well must not suffer from who is told about it. */
async function sendEvent(host: Host, repository: string, command: RefCommand, target: Target): Promise<void> {
  const found = await target;
  if (found === undefined) return;
  try {
    const path = host.repositories.path(repository);
    await host.sender.send(found, 'push', pushEvent({ url: host.url, repository, path, command }));
  } catch (error) {
    host.log(`no webhook for ${repository}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What a person sees who opens an address of this host in a browser. */
async function explain(host: Host, request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'Git requests only.\n');
  if (path === '/') {
    const names = await host.repositories.list();
    const lines = names.map((name) => `  git clone ${host.url}/${name}.git\n`);
    const how = `Push to any other name to create it:\n  git push ${host.url}/NAME.git main\n`;
    return text(response, 200, `The demo's Git host.\n\n${lines.join('')}\n${how}`);
  }
  const name = plainName(path.slice(1).replace(/\/$/, ''));
  if (!isRepositoryName(name)) return text(response, 404, 'Nothing is here.\n');
  const url = `${host.url}/${name}.git`;
  if (host.repositories.exists(name)) return text(response, 200, `A Git repository:\n  git clone ${url}\n`);
  return text(response, 404, `No such repository yet; a push creates it:\n  git push ${url} main\n`);
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(body);
}

/** A page on the web can point a name of its own at loopback; then the Host header gives it away. */
function isLocal(header: string | undefined): boolean {
  const name = (header ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === 'host.docker.internal';
}

function zeros(oid: string): string {
  return '0'.repeat(oid.length);
}
