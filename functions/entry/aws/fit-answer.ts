import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { problemOf } from '#shared/domain/problem.ts';
import { HawserError } from '#shared/errors.ts';

const compress = promisify(gzip);
/** Below it compressing costs more than it saves. */
const worthBytes = 16 * 1024;
/** Lambda's answer holds 6 MB, headers included; compressed bytes travel as base64, a third larger. */
const mostText = 5_900_000;
const mostBytes = 4_400_000;
const compressible = /^(text\/|application\/([\w.-]+\+)?(json|javascript|xml)|image\/svg)/;

/** The response as a function can give it: compressed where that is worth it and the asker takes it, `too-large` where it still does not fit. */
export async function fitAnswer(request: Request, response: Response): Promise<Response> {
  if (response.body === null) return response;
  const bytes = Buffer.from(await response.arrayBuffer());
  const type = response.headers.get('content-type') ?? '';
  const isText = compressible.test(type);
  const headers = new Headers(response.headers);
  if (isText && bytes.length > worthBytes && !headers.has('content-encoding')) {
    headers.append('vary', 'accept-encoding');
    if (takesGzip(request)) {
      const packed = await compress(bytes, { level: 5 });
      headers.set('content-encoding', 'gzip');
      headers.delete('content-length');
      return packed.length > mostBytes ? tooLarge(request) : new Response(packed, { ...statusOf(response), headers });
    }
  }
  if (bytes.length > (isText ? mostText : mostBytes)) return tooLarge(request);
  return new Response(bytes, { ...statusOf(response), headers });
}

function takesGzip(request: Request): boolean {
  const accepted = (request.headers.get('accept-encoding') ?? '').toLowerCase().split(',');
  return accepted.some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/.test(one));
}

function statusOf({ status, statusText }: Response): { status: number; statusText: string } {
  return { status, statusText };
}

function tooLarge(request: Request): Response {
  const error = new HawserError('too-large', 'the answer is larger than 6 MB, which is what a function can give', {
    hint: 'Send Accept-Encoding: gzip, or ask for less at a time.',
  });
  // Not 413: that would say that the request was.
  const problem = { ...problemOf(error, new URL(request.url).pathname), status: 500 };
  return new Response(JSON.stringify(problem), {
    status: 500,
    headers: { 'content-type': 'application/problem+json' },
  });
}
