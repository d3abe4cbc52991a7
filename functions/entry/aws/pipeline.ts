// The types know the default export only.
// oxlint-disable-next-line import/no-named-as-default
import middy, { type MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import type { FlushedBell } from '#shared/adapters/aws/sqs-bell.ts';
import type { Core } from './core.ts';

/**
 * What stands around every function: the invocation's id in every log line, what was gathered meanwhile (rings, metrics)
 * sent before the answer, because nothing runs after it, and failures logged in our words. `onFailure` turns a failure into
 * an answer; without it the invocation fails, and whoever invoked sees that.
 */
export function functionOf<Event, Answer>(
  core: Core,
  handler: (event: Event, context: Context) => Promise<Answer>,
  options: { bell?: FlushedBell; onFailure?: (error: unknown) => Answer } = {},
) {
  const run = (event: Event, context: Context): Promise<Answer> =>
    core.withFields(fieldsOf(context), () => handler(event, context));
  // What is used last is first to see a failure: it counts it, then that is sent.
  return middy<Event, Answer>(run)
    .use(flushing(core, options.bell))
    .use(errorBoundary<Event, Answer>(core, options.onFailure));
}

/** Rings before metrics: sending them may count something. */
function flushing(core: Core, bell: FlushedBell | undefined): MiddlewareObj {
  const flush = async (): Promise<void> => {
    await bell?.flush();
    core.metrics.flush();
  };
  return { after: flush, onError: flush };
}

function errorBoundary<Event, Answer>(
  core: Core,
  onFailure: ((error: unknown) => Answer) | undefined,
): MiddlewareObj<Event, Answer> {
  return {
    onError(request) {
      core.metrics.count('function_failures');
      core.withFields(fieldsOf(request.context), () => core.log.error({ error: request.error }, 'invocation failed'));
      if (onFailure !== undefined) request.response = onFailure(request.error);
    },
  };
}

/** By these a line is found: Lambda's request, and the trace where one is being recorded. */
function fieldsOf(context: Partial<Context> | undefined): Record<string, string> {
  const traceHeader = process.env['_X_AMZN_TRACE_ID'];
  const root = /Root=([^;]+)/.exec(traceHeader ?? '')?.[1];
  return {
    ...(context?.awsRequestId === undefined ? {} : { request: context.awsRequestId }),
    ...(root === undefined ? {} : { xray: root }),
  };
}
