/** How much a deployment is used. Everything that is assumed of people and clusters; what code and settings fix is below. */
export interface Usage {
  clusters: number;
  applicationsPerCluster: number;
  applicationsPerRepository: number;
  /** Pushes that change an application, for each of them. */
  pushesPerApplicationAndDay: number;
  agents: 'direct' | 'https';
  /** Requests of people and their scripts. */
  requestsOfPeoplePerDay: number;
  /** Kilobytes, compressed: what a render reads, and what a snapshot holds. */
  bundleKb: number;
  snapshotKb: number;
  /** Megabytes in the table for each application: its snapshots of 30 days, history and events. */
  storedMbPerApplication: number;
}

/** The three sizes for which the estimate is printed: 20 applications for each cluster. */
export const sizes: readonly Usage[] = [1, 100, 1000].map((clusters) => ({
  clusters,
  applicationsPerCluster: 20,
  applicationsPerRepository: 10,
  pushesPerApplicationAndDay: 2,
  agents: 'direct',
  requestsOfPeoplePerDay: 500 * Math.ceil(Math.sqrt(clusters)),
  bundleKb: 30,
  snapshotKb: 20,
  storedMbPerApplication: 1,
}));

/** What happens in a month, counted from the usage. */
export interface Counts {
  pushes: number;
  polls: number;
  heartbeats: number;
  /** Reports beyond heartbeats: what a sync says. */
  reports: number;
  tokens: number;
  /** Times that an agent asks whether there is something new: HEAD of the table, or a poll over HTTPS. */
  looks: number;
  /** Long polls of wake queues by agents. */
  wakes: number;
  sweeps: number;
  people: number;
  applications: number;
  repositories: number;
}

const secondsOfMonth = 730 * 3600;
const daysOfMonth = secondsOfMonth / 86_400;
/** functions/entry/aws/sweep.ts: 180 seconds and up to a third of jitter. */
const pollEverySeconds = 210;
/** agent/report/reporter.ts. */
const heartbeatEverySeconds = 30;
/** Credentials last 15 minutes and are renewed before. */
const tokenEverySeconds = 720;
/** Direct agents read HEAD at the latest every minute, and wait 20 seconds at the queue. Over HTTPS they ask every 10 seconds. */
const lookEverySeconds = { direct: 60, https: 10 };
const wakeEverySeconds = 20;
/** Begun, progressing, healthy, and a late event. */
const reportsPerSync = 4;

export function countsOf(usage: Usage): Counts {
  const applications = usage.clusters * usage.applicationsPerCluster;
  const repositories = Math.ceil(applications / usage.applicationsPerRepository);
  const pushes = applications * usage.pushesPerApplicationAndDay * daysOfMonth;
  const ofClusters = (everySeconds: number) => (usage.clusters * secondsOfMonth) / everySeconds;
  return {
    applications,
    repositories,
    pushes,
    polls: (repositories * secondsOfMonth) / pollEverySeconds,
    heartbeats: ofClusters(heartbeatEverySeconds),
    reports: pushes * reportsPerSync,
    tokens: ofClusters(tokenEverySeconds),
    looks: ofClusters(lookEverySeconds[usage.agents]),
    wakes: usage.agents === 'direct' ? ofClusters(wakeEverySeconds) : 0,
    sweeps: secondsOfMonth / 60,
    people: usage.requestsOfPeoplePerDay * daysOfMonth,
  };
}

/** Runs of one function in a month: how many, and seconds of each. */
export interface Runs {
  invocations: number;
  seconds: number;
}

/**
 * Runs of each function. Seconds are what warm functions of the sizes in functions.ts are expected to take; cold starts add
 * little at these rates. Messages come to a function in batches once there are many: at most the queue's, and no more than
 * arrive in a second.
 */
export function runsOf(usage: Usage, counts: Counts): Record<string, Runs> {
  const spoken = counts.heartbeats + counts.reports;
  const batch = Math.min(10, Math.max(1, spoken / secondsOfMonth));
  const overHttp = usage.agents === 'https' ? counts.looks + spoken : 0;
  return {
    webhook: { invocations: counts.pushes, seconds: 0.03 },
    api: { invocations: counts.people + overHttp, seconds: 0.03 },
    token: { invocations: counts.tokens, seconds: 0.15 },
    // Five polls of one sweep share an invocation; a push comes alone.
    plan: { invocations: counts.pushes + counts.polls / 5, seconds: 0.6 },
    render: { invocations: counts.pushes, seconds: 1.2 },
    'render-sandbox': { invocations: counts.pushes, seconds: 1 },
    publish: { invocations: counts.pushes, seconds: 0.3 },
    report: { invocations: spoken / batch, seconds: 0.03 * batch },
    sweep: { invocations: counts.sweeps, seconds: 0.2 + 0.001 * (counts.repositories + usage.clusters) },
    prepare: { invocations: 0, seconds: 0 },
  };
}

/** Requests to the table in a month: read units of 4 KB, write units of 1 KB (shared/state, shared/adapters/aws). */
export function tableUnits(usage: Usage, counts: Counts): { reads: number; writes: number } {
  const chunkReads = (kb: number) => Math.ceil(kb / 4) + 1;
  // Parts, and the row in the list of chunks, which is written twice.
  const chunkWrites = (kb: number) => Math.ceil(kb) + 3;
  const perPush = {
    plan: { reads: 20, writes: 8 + chunkWrites(usage.bundleKb) },
    render: { reads: chunkReads(usage.bundleKb), writes: chunkWrites(usage.snapshotKb) },
    publish: { reads: 20 + chunkReads(usage.snapshotKb), writes: 20 + chunkWrites(usage.snapshotKb) },
    agent: { reads: 4 + chunkReads(usage.snapshotKb), writes: 0 },
  };
  const ofPushes = (kind: 'reads' | 'writes') =>
    counts.pushes * Object.values(perPush).reduce((sum, one) => sum + one[kind], 0);
  const rowsOfSweep = counts.repositories + usage.clusters;
  const overHttp = usage.agents === 'https' ? counts.looks * 3 : counts.looks;
  return {
    reads:
      ofPushes('reads') +
      counts.polls * 4 +
      counts.heartbeats * 2 +
      counts.reports * 6 +
      counts.tokens * 4 +
      overHttp +
      counts.people * 10 +
      // A row for each repository's next poll, and the registry, half a kilobyte a row.
      counts.sweeps * (counts.repositories + Math.ceil(rowsOfSweep / 8)),
    writes:
      ofPushes('writes') +
      counts.polls +
      counts.heartbeats +
      counts.reports * 6 +
      counts.tokens * 2 +
      counts.people * 0.1,
  };
}

/** Requests to queues in a month: sends, receives and deletes of messages, and receives that find nothing. */
export function queueRequests(usage: Usage, counts: Counts): number {
  const requestsPerMessage = 3;
  const spoken = counts.heartbeats + counts.reports;
  // hints, render-jobs, publish-jobs; a wake for the agent.
  const ofPushes = counts.pushes * (3 * requestsPerMessage + 1);
  // Sent by tens, received by fives.
  const ofPolls = counts.polls * (1 / 10 + 2 / 5);
  // Lambda keeps five pollers at each of five queues, which wait 20 seconds.
  const idle = 5 * 5 * (secondsOfMonth / 20);
  const mailbox = usage.agents === 'https' ? counts.looks : counts.wakes;
  return ofPushes + ofPolls + spoken * (1 + 2 / Math.min(10, Math.max(1, spoken / secondsOfMonth))) + idle + mailbox;
}
