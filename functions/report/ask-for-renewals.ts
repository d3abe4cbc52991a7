import { inParallel } from '#shared/domain/parallel.ts';
import type { OpenedReport } from '#shared/messages/agent-report.ts';
import type { PublishJob } from '#shared/messages/publish-job.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { readHead, rootOf, type Head } from '#shared/state/heads.ts';

/** As much as publishing wants to see left of a certificate; what has more is not signed again. */
const freshMs = 3600_000;
const readsAtOnce = 16;

/**
 * An agent was handed roots whose certificates have ended: asks publish, which alone may sign, to sign them again. An
 * agent's word costs only reads where it is not so: heads of other clusters cannot be named, and fresh ones need nothing.
 */
export async function askForRenewals(
  deps: { store: StateStore; publishJobs: Pick<Queue, 'send'> },
  { organisation, cluster, receivedAt, report }: OpenedReport,
): Promise<void> {
  const jobs: string[] = [];
  await inParallel([...new Set(report.renew)], readsAtOnce, async (application) => {
    const head = (await readHead(deps.store, organisation, cluster, application))?.value;
    if (head === undefined || !endsSoon(head, Date.parse(receivedAt))) return;
    jobs.push(JSON.stringify(jobOf(organisation, head, `renew-${report.epoch}`, receivedAt)));
  });
  if (jobs.length > 0) await deps.publishJobs.send(jobs, { group: organisation });
}

function endsSoon({ root }: Head, now: number): boolean {
  return !(Date.parse(root.certificate.notAfter) > now + freshMs);
}

function jobOf(organisation: string, head: Head, trace: string, at: string): PublishJob {
  const { application, generation, inputDigest } = head;
  const { revision } = rootOf(head);
  return {
    organisation,
    application,
    generation,
    inputDigest,
    intent: { revision, dependsOn: [], initiatedBy: 'renewal', renderDigest: '' },
    result: { status: 'renew' },
    trace,
    at,
  };
}
