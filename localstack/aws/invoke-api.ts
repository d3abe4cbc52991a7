import { HawserError, messageOf } from '#shared/errors.ts';
import type { HttpAnswer, HttpRequest } from './http-event.ts';
import type { LambdaHost } from './lambda-host.ts';

const invocations = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/**
 * What Lambda's own Invoke API (`AWS_ENDPOINT_URL_LAMBDA`) answers for the functions that other functions may invoke; `body` is
 * undefined where it was larger than `payloadLimit`.
 */
export async function answerInvoke(
  host: LambdaHost,
  callable: readonly string[],
  request: Omit<HttpRequest, 'body'>,
  body: Uint8Array | undefined,
): Promise<HttpAnswer> {
  const [path = ''] = request.target.split('?');
  const asked = decodeURIComponent(invocations.exec(path)?.[1] ?? '');
  // A name, an ARN or part of one, with or without a version.
  const name = callable.find((one) => asked === one || asked.split(':').includes(one));
  const header = (wanted: string) => request.headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
  if (request.method !== 'POST' || name === undefined)
    return refusal(404, 'ResourceNotFoundException', `Function not found: ${host.arnOf(asked)}`);
  if ((header('x-amz-invocation-type') ?? 'RequestResponse') !== 'RequestResponse')
    return refusal(400, 'InvalidParameterValueException', 'Only RequestResponse is served here');
  if (body === undefined) return refusal(413, 'RequestTooLargeException', 'Request must be smaller than 6291456 bytes');
  const tenantId = header('x-amz-tenant-id');
  // The functions that can be invoked this way are in tenant isolation mode.
  if (tenantId === undefined || tenantId === '')
    return refusal(400, 'InvalidParameterValueException', 'Add a valid tenant ID in your request and try again.');
  try {
    const payload = body.length === 0 ? 'null' : Buffer.from(body).toString();
    const done = await host.invoke(name, payload, { tenantId });
    return {
      status: 200,
      headers: [
        ['content-type', 'application/json'],
        ['x-amz-executed-version', '$LATEST'],
        ...(done.functionError === undefined ? [] : [['x-amz-function-error', done.functionError] as [string, string]]),
      ],
      body: Buffer.from(done.payload),
    };
  } catch (error) {
    const tooLarge = error instanceof HawserError && error.code === 'too-large';
    if (tooLarge) return refusal(413, 'RequestTooLargeException', error.message);
    return refusal(500, 'ServiceException', messageOf(error));
  }
}

function refusal(status: number, type: string, message: string): HttpAnswer {
  return {
    status,
    headers: [
      ['content-type', 'application/json'],
      ['x-amzn-errortype', type],
    ],
    body: Buffer.from(JSON.stringify({ Type: status < 500 ? 'User' : 'Service', Message: message })),
  };
}
