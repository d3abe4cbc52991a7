import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { ClusterKind } from '#shared/domain/cluster.ts';
import type { KubeObject } from '#shared/domain/kube-object.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Log } from '#shared/ports/log.ts';
import { collectionPath, queryOf } from './paths.ts';
import { listPages } from './read.ts';
import type { Requests } from './requests.ts';

export interface WatchTarget {
  kind: ClusterKind;
  /** '' for everywhere. */
  namespace: string;
  labelSelector: string;
}

/** Called in the order of events; must not block. */
export interface WatchHandler {
  /** A list begins: what is not seen until `listed` is not there. */
  listing(): void;
  seen(object: KubeObject): void;
  listed(resourceVersion: string): void;
  removed(object: KubeObject): void;
  /** The watch cannot be held now; nothing may be concluded from silence until the next `listed` (INV-30). */
  failed(error: HawserError): void;
}

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject & { code?: number; message?: string };
}

interface WatchDeps {
  requests: Requests;
  clock: Clock;
  log: Log;
  random?: () => number;
  /** How long the server may hold one watch request; default about 4 to 5 minutes. */
  watchSeconds?: number;
  /** How long past its end a watch may say nothing; default 20 s. */
  silenceMs?: number;
}

const longestBackoff = 30_000;
/** After the server should have ended the request, it is dead: half-open connections say nothing (FT-100). */
const silenceAfterEnd = 20_000;

/** Lists and watches until the signal. Ends of a watch resume from the last version; gaps (410, silence, errors) list again. */
export async function watchKind(
  deps: WatchDeps,
  target: WatchTarget,
  handler: WatchHandler,
  signal: AbortSignal,
): Promise<void> {
  let version: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (version === undefined) version = await list(deps, target, handler, signal);
      failures = 0;
      version = await follow(deps, target, handler, version, signal);
    } catch (error) {
      if (signal.aborted) return;
      version = undefined;
      failures += 1;
      const reason = error instanceof HawserError ? error : new HawserError('cluster-unreachable', messageOf(error));
      handler.failed(reason);
      deps.log.warn(
        { kind: target.kind.kind, group: target.kind.group, reason: reason.message },
        'watch broke, will list again',
      );
      const { random = Math.random } = deps;
      await deps.clock.sleep(random() * Math.min(longestBackoff, 250 * 2 ** failures), signal);
    }
  }
}

async function list(deps: WatchDeps, target: WatchTarget, handler: WatchHandler, signal: AbortSignal): Promise<string> {
  let version = '';
  handler.listing();
  const { namespace, labelSelector } = target;
  const onVersion = (listed: string) => (version = listed);
  for await (const page of listPages(deps.requests, target.kind, { namespace, labelSelector, onVersion, signal })) {
    for (const object of page) handler.seen(object);
  }
  handler.listed(version);
  return version;
}

/** One watch request. Returns the version to go on from, undefined when a new list is needed. */
async function follow(
  deps: WatchDeps,
  target: WatchTarget,
  handler: WatchHandler,
  from: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { random = Math.random } = deps;
  const seconds = deps.watchSeconds ?? Math.round(240 + 60 * random());
  const query = queryOf({
    watch: 1,
    allowWatchBookmarks: true,
    resourceVersion: from,
    labelSelector: target.labelSelector,
    timeoutSeconds: seconds,
  });
  const stream = await deps.requests.stream(collectionPath(target.kind, target.namespace) + query, signal);
  if (stream.statusCode !== 200) {
    stream.resume();
    if (stream.statusCode === 410) return undefined;
    throw new HawserError(
      stream.statusCode === 403 ? 'forbidden' : 'cluster-unreachable',
      `watch of ${target.kind.plural} answered ${stream.statusCode}`,
    );
  }
  let version = from;
  let gone = false;
  await readLines(stream, seconds * 1000 + (deps.silenceMs ?? silenceAfterEnd), signal, (line) => {
    const event = JSON.parse(line) as WatchEvent;
    if (event.type === 'ERROR') {
      // Inside a 200 answer: 410 means that our version has been compacted away.
      gone = true;
      return;
    }
    version = event.object.metadata.resourceVersion ?? version;
    if (event.type === 'DELETED') handler.removed(event.object);
    else if (event.type !== 'BOOKMARK') handler.seen(event.object);
  });
  return gone ? undefined : version;
}

function readLines(
  stream: IncomingMessage,
  deadlineMs: number,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    const watchdog = setTimeout(() => stream.destroy(new Error('the watch went silent')), deadlineMs);
    const settle = (error?: Error) => {
      clearTimeout(watchdog);
      if (error === undefined || signal.aborted) resolve();
      else reject(error);
    };
    stream.on('data', (part: Buffer) => {
      const text = rest + decoder.write(part);
      const lines = text.split('\n');
      rest = lines.pop() ?? '';
      try {
        for (const line of lines) if (line !== '') onLine(line);
      } catch (error) {
        stream.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    stream.on('end', () => settle());
    stream.on('close', () => settle());
    stream.on('error', (error) => settle(error));
  });
}
