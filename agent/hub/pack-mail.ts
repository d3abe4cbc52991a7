import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HawserError } from '#shared/errors.ts';
import type { AgentMail, MailContent } from '#shared/messages/agent-mail.ts';
import type { AgentReport, ApplicationReport } from '#shared/messages/agent-report.ts';
import type { Answer } from '#shared/messages/cluster-command.ts';

/** Who sends, and when (ISO 8601). The receiver checks the first two against who the queue says the sender is. */
export type MailHead = Pick<AgentMail, 'organisation' | 'cluster' | 'sentAt'>;

/** A message holds 256 KiB (LIM-16); some of it is the queue's own. */
const largestMail = 240 * 1024;
const compress = promisify(gzip);

/**
 * A report as messages. One that is too large is split by applications; all parts carry its sequence number, for each says
 * how other applications are. One application that is too large alone loses the ends of its lists and says so.
 */
export async function packReport(head: MailHead, report: AgentReport): Promise<string[]> {
  const mail = await pack(head, { report });
  if (mail !== undefined) return [mail];
  const [first, second] = halves(report);
  if (second !== undefined) return [...(await packReport(head, first)), ...(await packReport(head, second))];
  const [application] = report.applications;
  const shorter = application === undefined ? undefined : shorten(application);
  if (shorter === undefined) {
    const what =
      application === undefined ? 'a report without applications' : `the report of ${application.application}`;
    throw new HawserError('too-large', `${what} is larger than a message`, { data: { limit: largestMail } });
  }
  return packReport(head, { ...report, applications: [shorter] });
}

/** An answer as a message; one that is too large becomes one that says so. */
export async function packAnswer(head: MailHead, answer: Answer): Promise<string> {
  const mail = await pack(head, { answer });
  if (mail !== undefined) return mail;
  const error = 'the answer is larger than a message to the service may be';
  return (await pack(head, { answer: { question: answer.question, error } })) as string;
}

async function pack(head: MailHead, content: MailContent): Promise<string | undefined> {
  const packed = (await compress(JSON.stringify(content))).toString('base64');
  const mail = JSON.stringify({ ...head, packed } satisfies AgentMail);
  return mail.length <= largestMail ? mail : undefined;
}

/** What is said once for the whole agent goes with the first half. */
function halves(report: AgentReport): [AgentReport, AgentReport?] {
  const { applications } = report;
  if (applications.length < 2) return [report];
  const middle = Math.ceil(applications.length / 2);
  const { renew: _, capabilities: __, ...rest } = report;
  return [
    { ...report, applications: applications.slice(0, middle) },
    { ...rest, applications: applications.slice(middle) },
  ];
}

const marker = 'ReportTruncated';

/** Half of its longest list less; undefined where nothing is left to leave out. */
function shorten(application: ApplicationReport): ApplicationReport | undefined {
  const { operation, resources = [], drift } = application;
  const results = operation?.resources ?? [];
  const longest = Math.max(results.length, resources.length, drift.length);
  if (longest < 2) return undefined;
  const cut = <T>(list: T[]): T[] => (list.length === longest ? list.slice(0, Math.ceil(longest / 2)) : list);
  const message = 'The report is larger than a message: the lists of objects show only some of them';
  const conditions = application.conditions.filter(({ type }) => type !== marker).slice(0, 49);
  return {
    ...application,
    drift: cut(drift),
    ...(application.resources === undefined ? {} : { resources: cut(resources) }),
    ...(operation === undefined ? {} : { operation: { ...operation, resources: cut(results) } }),
    conditions: [...conditions, { type: marker, message, lastTransitionTime: operation?.startedAt ?? '' }],
  };
}
