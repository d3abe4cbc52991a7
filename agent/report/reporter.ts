import { hash } from 'node:crypto';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { ClusterCapabilities } from '#shared/domain/cluster.ts';
import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Hub } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Renewals } from './renewals.ts';

/** Sends what changed, level-triggered: a report says how an application is now, so only the newest counts. */
export interface Reporter {
  /** This application may look different now. `soon` false: it will change again in a moment, wait for that. */
  changed(application: string, soon: boolean): void;
  /** Send these (all when absent) again, whatever was sent before. */
  resend(applications?: readonly string[]): void;
  /** Applications wait for a newer signature: say so soon. */
  renew(): void;
  /** Attached to the next report. */
  capabilities(capabilities: ClusterCapabilities): void;
  /** Heartbeats and retries, until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ReporterDeps {
  hub: Pick<Hub, 'report'>;
  clock: Clock;
  log: Log;
  agentVersion: string;
  epoch: string;
  random: () => number;
  applications(): Iterable<string>;
  renewals: Pick<Renewals, 'due' | 'asked'>;
  /** The state to report; undefined when the application is not here any more. */
  reportOf(application: string): ApplicationReport | undefined;
  /** The events of this report arrived: they need not be sent again. */
  acknowledged(application: string, report: ApplicationReport): void;
  facts(): { version: number; objects: number; memoryBytes: number };
}

interface Sent {
  digest: string;
  resources: string;
}

/** A report as it goes out, and what will then have been sent. */
interface Batched {
  report: ApplicationReport;
  now: Sent;
  bytes: number;
}

const urgentMs = 3;
const coalesceMs = 20;
/** While many applications change at once, they are gathered for up to this long. */
const busyMs = 200;
const relaxedMs = 250;
const batchBytes = 200 * 1024;
const batchApplications = 200;
const heartbeatMs = 30_000;

/** Creates the reporter; it sends from the first `changed` on. */
export function createReporter(deps: ReporterDeps): Reporter {
  const dirty = new Set<string>();
  const sent = new Map<string, Sent>();
  let sequence = 1;
  let pendingCapabilities: ClusterCapabilities | undefined;
  let flushing = false;
  let timer: AbortController | undefined;
  let due = Infinity;
  let lastFlush = -Infinity;
  let pace = coalesceMs;
  let failures = 0;
  let stopped = false;
  /** Of the last heartbeat: over a thousand applications it is not worked out anew for each report. */
  let lastDigest = '';

  function schedule(delay: number): void {
    if (stopped) return;
    const at = deps.clock.monotonic() + delay;
    if (flushing || at >= due) return;
    timer?.abort();
    const mine = new AbortController();
    timer = mine;
    due = at;
    void deps.clock.sleep(delay, mine.signal).then(() => (mine.signal.aborted ? undefined : flush()));
  }

  /** The first change goes out at once; what follows on its heels is gathered. */
  function delayFor(soon: boolean): number {
    if (!soon) return relaxedMs;
    return deps.clock.monotonic() - lastFlush > pace ? urgentMs : pace;
  }

  async function flush(): Promise<void> {
    due = Infinity;
    // A heartbeat is on its way: whoever sends it looks afterwards at what is to be said.
    if (flushing) return;
    flushing = true;
    let again: number | undefined;
    try {
      while (dirty.size > 0 || hasMore()) {
        const batch = takeBatch();
        if (batch.length === 0 && !hasMore()) break;
        await send(batch);
        failures = 0;
        pace = batch.length >= 4 ? Math.min(busyMs, pace * 2) : coalesceMs;
      }
    } catch (error) {
      failures += 1;
      again = deps.random() * Math.min(30_000, 500 * 2 ** failures);
      const told = error instanceof HawserError ? error.data['retryAfterMs'] : undefined;
      if (typeof told === 'number') again = Math.max(again, told);
      deps.log.warn({ reason: messageOf(error), waiting: dirty.size }, 'report was not delivered, will try again');
    } finally {
      flushing = false;
      lastFlush = deps.clock.monotonic();
    }
    if (again !== undefined) schedule(again);
    else if (dirty.size > 0) schedule(pace);
  }

  /** What is said besides applications. */
  function hasMore(): boolean {
    return pendingCapabilities !== undefined || deps.renewals.due().length > 0;
  }

  /** Reports of dirty applications that really differ from what was sent, up to the size of one message. */
  function takeBatch(): Batched[] {
    const batch: Batched[] = [];
    let bytes = 0;
    for (const application of dirty) {
      if (batch.length >= batchApplications || bytes >= batchBytes) break;
      dirty.delete(application);
      const report = deps.reportOf(application);
      const one = report === undefined ? undefined : differing(report, sent.get(application));
      if (one === undefined) continue;
      bytes += one.bytes;
      batch.push(one);
    }
    return batch;
  }

  async function send(batch: readonly Batched[]): Promise<void> {
    const capabilities = pendingCapabilities;
    const renew = deps.renewals.due();
    const { version, objects, memoryBytes } = deps.facts();
    const message: AgentReport = {
      format: 1,
      epoch: deps.epoch,
      sequence,
      agentVersion: deps.agentVersion,
      version,
      applications: batch.map((entry) => entry.report),
      heartbeat: {
        digest: batch.length === 0 ? heartbeatDigest() : lastDigest,
        applications: [...deps.applications()].length,
        objects,
        memoryBytes,
      },
      ...(renew.length === 0 ? {} : { renew }),
      ...(capabilities === undefined ? {} : { capabilities }),
    };
    try {
      await deps.hub.report(message);
    } catch (error) {
      // A number that certainly did not arrive is used again, so that it does not count as lost.
      if (!(error instanceof HawserError && error.data['notDelivered'] === true)) sequence += 1;
      const refused = error instanceof HawserError && (error.code === 'invalid-input' || error.code === 'too-large');
      if (refused)
        deps.log.error(
          { reason: error.message, applications: batch.map((entry) => entry.report.application) },
          'report was refused',
        );
      for (const { report } of batch) {
        sent.delete(report.application);
        if (!refused) dirty.add(report.application);
      }
      if (!refused) throw error;
      return;
    }
    sequence += 1;
    deps.renewals.asked(renew);
    if (capabilities === pendingCapabilities) pendingCapabilities = undefined;
    for (const { report, now } of batch) {
      sent.set(report.application, now);
      deps.acknowledged(report.application, report);
    }
  }

  function heartbeatDigest(): string {
    const lines = [...deps.applications()]
      .sort()
      .map((application) => `${application}=${sent.get(application)?.digest ?? ''}`);
    lastDigest = hash('sha256', lines.join('\n'), 'hex');
    return lastDigest;
  }

  return {
    changed(application, soon) {
      dirty.add(application);
      schedule(delayFor(soon));
    },
    resend(applications) {
      for (const application of applications ?? deps.applications()) {
        sent.delete(application);
        dirty.add(application);
      }
      schedule(urgentMs);
    },
    renew() {
      schedule(coalesceMs);
    },
    capabilities(capabilities) {
      pendingCapabilities = capabilities;
      schedule(coalesceMs);
    },
    async run(signal) {
      while (!signal.aborted) {
        await deps.clock.sleep(heartbeatMs * (0.8 + 0.4 * deps.random()), signal);
        if (signal.aborted || flushing || dirty.size > 0) continue;
        // One at a time: a heartbeat and a report must not use the same number.
        flushing = true;
        await send([]).catch((error: unknown) =>
          deps.log.debug({ reason: messageOf(error) }, 'heartbeat was not delivered'),
        );
        flushing = false;
        if (dirty.size > 0 || hasMore()) schedule(urgentMs);
      }
      stopped = true;
      timer?.abort();
    },
  };
}

/** What to send of a report after `before` was sent; undefined where that is nothing. Equal lists of resources stay at home. */
function differing(report: ApplicationReport, before: Sent | undefined): Batched | undefined {
  const { events, resources = [], ...rest } = report;
  const resourceText = JSON.stringify(resources);
  const restText = JSON.stringify(rest);
  const now = { resources: hash('sha1', resourceText, 'base64'), digest: '' };
  now.digest = hash('sha1', restText + now.resources, 'base64');
  if (before?.digest === now.digest && events.length === 0) return undefined;
  const same = before?.resources === now.resources;
  const bytes = restText.length + (same ? 0 : resourceText.length) + JSON.stringify(events).length;
  return { report: same ? { ...rest, events } : report, now, bytes };
}
