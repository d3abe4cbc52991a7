import type { z } from 'zod';
import { Hint } from './messages/hint.ts';
import { RenderJob } from './messages/render-job.ts';
import { PublishJob } from './messages/publish-job.ts';
import { AgentMail } from './messages/agent-mail.ts';
import { ReceivedReport } from './messages/agent-report.ts';
import type { QueueSettings } from './ports/queue.ts';

/** A stage of the pipeline: a folder in `functions/`, or the agent, or somebody outside. */
export type Stage =
  | 'git host'
  | 'webhook'
  | 'plan'
  | 'render'
  | 'publish'
  | 'agent'
  | 'report'
  | 'api'
  | 'sweep'
  | 'token';

/** One queue: its message, who sends, who receives, and how it behaves. */
export interface FlowQueue<T = unknown> extends QueueSettings {
  message: z.ZodType<T>;
  from: Stage[];
  to: Stage;
  carries: string;
  /** After so many receives a fault of the handler itself is final; absent: after `maxReceives`. */
  tries?: number;
  /** Messages that one worker takes at once. */
  batch: number;
}

/**
 * Receives that a message may have because what it needs is away, or because nobody ran: with the back-off of
 * shared/handle-delivery.ts more than an hour. What is broken itself dies after `tries`.
 */
const outageReceives = 40;

/**
 * The pipeline as data. Infrastructure creates these queues, entries bind to them, the README's diagram is generated from them.
 * Visibility is at least six times what a message may take.
 */
export const hints = flowQueue('hints', Hint, {
  from: ['webhook', 'sweep', 'api', 'plan', 'publish', 'report'],
  to: 'plan',
  carries: 'hint: a repository may have moved',
  visibilitySeconds: 180,
  maxReceives: outageReceives,
  tries: 5,
  batch: 10,
});

export const renderJobs = flowQueue('render-jobs', RenderJob, {
  from: ['plan'],
  to: 'render',
  carries: 'render job: an input bundle to render',
  visibilitySeconds: 360,
  maxReceives: outageReceives,
  tries: 3,
  batch: 4,
});

export const publishJobs = flowQueue('publish-jobs', PublishJob, {
  from: ['plan', 'render', 'api', 'report', 'publish'],
  to: 'publish',
  carries: 'publish job: rendered objects, or why there are none, or a repeat',
  visibilitySeconds: 180,
  maxReceives: outageReceives,
  tries: 5,
  batch: 10,
});

export const reports = flowQueue('reports', ReceivedReport, {
  from: ['api'],
  to: 'report',
  carries: 'report: per-application results and a heartbeat',
  visibilitySeconds: 120,
  maxReceives: outageReceives,
  tries: 5,
  batch: 10,
});

/** Reports and answers of agents that have credentials of their own for the queue; those that have not go through the API. */
export const agentMail = flowQueue('agent-mail', AgentMail, {
  from: ['agent'],
  to: 'report',
  carries: 'report or answer (checked against its sender)',
  visibilitySeconds: 120,
  maxReceives: outageReceives,
  tries: 5,
  batch: 10,
});

/** Every queue, in flow order. */
export const flow = [hints, renderJobs, publishJobs, reports, agentMail] as const;

/** Hops that are not queues: what calls what, for the diagram. */
export const calls: { from: Stage; to: Stage; carries: string }[] = [
  { from: 'git host', to: 'webhook', carries: 'push, signed' },
  { from: 'publish', to: 'agent', carries: 'command: HEAD moved (wake-up; polling is what counts)' },
  { from: 'agent', to: 'api', carries: 'poll, chunks, reports' },
  { from: 'agent', to: 'token', carries: 'ServiceAccount token for short-lived credentials' },
  { from: 'sweep', to: 'plan', carries: 'what webhooks missed' },
];

function flowQueue<T>(name: string, message: z.ZodType<T>, rest: Omit<FlowQueue<T>, 'name' | 'message'>): FlowQueue<T> {
  return { name, message, ...rest };
}
