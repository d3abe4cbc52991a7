import { randomUUID } from 'node:crypto';
import { HawserError, messageOf } from '#shared/errors.ts';
import type { Log } from '#shared/ports/log.ts';
import {
  decodedPath,
  gatewayAnswer,
  httpAnswerOf,
  httpEventOf,
  matchRoute,
  type HttpAnswer,
  type HttpRequest,
  type Route,
} from './http-event.ts';
import type { LambdaHost } from './lambda-host.ts';

/** Quotas of an HTTP API. */
export const bodyLimit = 10 * 1024 * 1024;
const integrationSeconds = 30;

/** What an HTTP API of API Gateway before functions answers; `body` is undefined where it was larger than `bodyLimit`. */
export async function answerHttp(
  { host, routes, account, log }: { host: LambdaHost; routes: readonly Route[]; account: string; log: Log },
  asked: Omit<HttpRequest, 'body'>,
  body: Uint8Array | undefined,
): Promise<HttpAnswer> {
  if (body === undefined) return gatewayAnswer(413, 'Request Entity Too Large');
  const request = { ...asked, body };
  const path = decodedPath(request.target);
  if (path === undefined) return gatewayAnswer(400, 'Bad Request');
  const match = matchRoute(routes, request.method, path);
  if (match === undefined) return gatewayAnswer(404, 'Not Found');
  const event = httpEventOf(request, match, { requestId: randomUUID(), now: Date.now(), account });
  const { functionName } = match.route;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), integrationSeconds * 1000);
  });
  try {
    const invocation = await Promise.race([host.invoke(functionName, JSON.stringify(event)), late]);
    if (invocation === undefined) return gatewayAnswer(503, 'Service Unavailable');
    const answer = invocation.functionError === undefined ? httpAnswerOf(invocation.payload) : undefined;
    if (answer !== undefined) return answer;
    log.warn({ function: functionName, reason: invocation.payload.slice(0, 1000) }, 'a function gave no answer');
    return gatewayAnswer(500, 'Internal Server Error');
  } catch (error) {
    // In base64 a body may be too large for the function though the gateway takes it.
    if (error instanceof HawserError && error.code === 'too-large')
      return gatewayAnswer(413, 'Request Entity Too Large');
    log.warn({ function: functionName, reason: messageOf(error) }, 'a function could not be asked');
    return gatewayAnswer(500, 'Internal Server Error');
  } finally {
    clearTimeout(timer);
  }
}
