import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { handle } from 'hono/aws-lambda';
import { problemOf } from '#shared/domain/problem.ts';
import { HawserError } from '#shared/errors.ts';
import type { FlushedBell } from '#shared/adapters/aws/sqs-bell.ts';
import { fitAnswer } from './fit-answer.ts';
import type { Core } from './core.ts';
import { functionOf } from './pipeline.ts';

/** As much of a Hono app as is needed: apps differ in their variables. */
interface App {
  fetch(request: Request, env?: object): Response | Promise<Response>;
}
type Answer = APIGatewayProxyStructuredResultV2;

// Node loads what requests and responses are made of with the first one: now, while Lambda starts, and not when somebody waits.
Response.json(null);

/** A function that answers HTTP requests of API Gateway (payload format 2.0) with a Hono app. */
export function httpFunction(core: Core, app: App, options: { bell?: FlushedBell } = {}) {
  const fitting: App = {
    async fetch(sent, env) {
      const request = asSent(sent);
      return fitAnswer(request, await app.fetch(request, env));
    },
  };
  const answer = handle(fitting as Parameters<typeof handle>[0]);
  const handler = async (event: APIGatewayProxyEventV2, context: Context): Promise<Answer> =>
    (await answer(event as unknown as Parameters<typeof answer>[0], context as Parameters<typeof answer>[1])) as Answer;
  return functionOf<APIGatewayProxyEventV2, Answer>(core, handler, { ...options, onFailure: failed });
}

/** API Gateway is reached over TLS only and says so itself; what stands in for it on one machine says `http`. */
function asSent(request: Request): Request {
  if (request.headers.get('x-forwarded-proto') !== 'http') return request;
  return new Request(request.url.replace(/^https:/, 'http:'), request);
}

/** Nothing of a failure that nobody expected is told to who asked (NT-135). */
function failed(): Answer {
  const problem = problemOf(new HawserError('internal', 'the request could not be answered'), '');
  return {
    statusCode: problem.status,
    headers: { 'content-type': 'application/problem+json' },
    body: JSON.stringify(problem),
  };
}
