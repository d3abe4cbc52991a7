import { execFile, spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';

import { gitEnv } from './repositories.ts';

const run = promisify(execFile);
const HEADER_LIMIT = 64 * 1024;
const END_OF_HEADER = '\r\n\r\n';

/** One request for `git http-backend`, which sees the URL as `path` and `query`. */
export interface BackendCall {
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  query: string;
  /** Sees the request body (unzipped) and the response body pass by. */
  tap?: { request(chunk: Buffer): void; response(chunk: Buffer): void };
  /** Whether Git must go on when the client leaves after its whole request is in: a push counts, a fetch does not. */
  finish: boolean;
}

/** `git http-backend`, a process per request. */
export interface Backend {
  /** Answers the request; ends when Git has ended, with whether it went well. */
  serve(call: BackendCall): Promise<boolean>;
  /** Ends what runs. */
  stop(): Promise<void>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Finds `git http-backend`; calls it for the repositories under `root`. */
export async function openBackend(root: string, log: (line: string) => void): Promise<Backend> {
  const execPath = await findExecPath();
  const program = join(execPath, 'git-http-backend');
  if (!existsSync(program)) {
    throw new Error('git http-backend is missing: install the whole of Git (Alpine has it in the package git-daemon)');
  }
  const base = gitEnv();
  // The child's own "git" is the one beside it: no search, and no other version from the PATH.
  const path = [execPath, base['PATH']].join(delimiter);
  const env = { ...base, PATH: path, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1' };
  const children = new Set<Child>();

  return {
    serve(call) {
      // A group of its own, so that what it starts ends with it.
      const child = spawn(program, [], {
        env: { ...env, ...cgiVariables(call) },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
      children.add(child);
      child.stderr.on('data', (chunk: Buffer) => log(`git: ${chunk.toString('utf8').trim()}`));
      sendRequest(call, child);
      sendResponse(call, child);
      return new Promise((resolve) => {
        child.on('error', (error) => log(`git http-backend did not start: ${error.message}`));
        child.on('close', (code) => {
          children.delete(child);
          if (!call.response.headersSent) fail(call.response);
          call.response.end();
          resolve(code === 0);
        });
      });
    },
    async stop() {
      await Promise.all([...children].map(endChild));
    },
  };
}

async function findExecPath(): Promise<string> {
  try {
    return (await run('git', ['--exec-path'])).stdout.trim();
  } catch (error) {
    throw new Error('git is missing: install it and make sure that it is on the PATH', { cause: error });
  }
}

function cgiVariables({ request, path, query }: BackendCall): Record<string, string> {
  const { headers } = request;
  const protocol = headers['git-protocol'];
  const length = headers['content-length'];
  return {
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: path,
    QUERY_STRING: query,
    REMOTE_ADDR: '127.0.0.1',
    CONTENT_TYPE: headers['content-type'] ?? '',
    // Left out where the body is chunked or is unzipped here: then Git reads to the end.
    ...(length !== undefined && !isZipped(request) ? { CONTENT_LENGTH: length } : {}),
    ...(typeof protocol === 'string' ? { GIT_PROTOCOL: protocol } : {}),
  };
}

function isZipped(request: IncomingMessage): boolean {
  return /^(?:x-)?gzip$/.test(request.headers['content-encoding'] ?? '');
}

function sendRequest({ request, response, tap, finish }: BackendCall, child: Child): void {
  let body: Readable = request;
  if (isZipped(request)) {
    body = request.pipe(createGunzip());
    body.on('error', () => child.stdin.destroy());
  }
  if (tap !== undefined) body.on('data', (chunk: Buffer) => tap.request(chunk));
  body.pipe(child.stdin);
  // Git may answer without having read all (a refusal); the rest of the body then goes nowhere.
  child.stdin.on('error', () => request.resume());
  request.on('aborted', () => child.stdin.destroy());
  response.on('close', () => {
    if (!finish && !response.writableFinished) signalGroup(child, 'SIGTERM');
  });
}

function sendResponse({ response, tap }: BackendCall, child: Child): void {
  let head: Buffer = Buffer.alloc(0);
  child.stdout.on('data', onHead);

  function onHead(chunk: Buffer): void {
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const end = head.indexOf(END_OF_HEADER);
    if (end < 0) {
      if (head.length > HEADER_LIMIT) signalGroup(child, 'SIGTERM');
      return;
    }
    child.stdout.off('data', onHead);
    const { status, headers } = parseHead(head.toString('latin1', 0, end));
    response.writeHead(status, headers);
    const rest = head.subarray(end + END_OF_HEADER.length);
    if (rest.length > 0) {
      tap?.response(rest);
      response.write(rest);
    }
    if (tap !== undefined) child.stdout.on('data', (next: Buffer) => tap.response(next));
    child.stdout.pipe(response, { end: false });
    // Where the client has left, Git still has to get rid of its answer.
    response.on('close', () => child.stdout.unpipe(response).resume());
  }
}

function parseHead(text: string): { status: number; headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  let status = 200;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'status') status = Number.parseInt(value, 10) || 500;
    else headers[name] = value;
  }
  return { status, headers };
}

function fail(response: ServerResponse): void {
  response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
  response.write('git http-backend gave no answer\n');
}

async function endChild(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // SIGTERM first: it lets Git remove its lock files, which would block the next push.
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  signalGroup(child, 'SIGTERM');
  const last = setTimeout(() => signalGroup(child, 'SIGKILL'), 500);
  await ended;
  clearTimeout(last);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}
