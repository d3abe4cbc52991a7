import type { IncomingHttpHeaders } from 'node:http';

import { HawserError } from '../../errors.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import type { Authoriser } from './authorise.ts';
import type { HttpAnswer, Transport } from './http-transport.ts';
import { printable } from './remote.ts';
import type { Connection } from './remote.ts';

export interface HttpConnectionOptions {
  transport: Transport;
  authoriser: Authoriser;
  access: RepositoryAccess;
  url: URL;
}

const REDIRECTS = 3;

/** Smart HTTP (git-scm.com/docs/http-protocol): one GET for the greeting, a POST for each request. */
export function createHttpConnection(options: HttpConnectionOptions): Connection {
  const { transport, authoriser, access, url } = options;

  async function send(target: URL, body?: Buffer): Promise<HttpAnswer> {
    return transport.send({
      url: target,
      headers: {
        'git-protocol': 'version=2',
        ...(await authoriser.headers(access, url)),
        ...(body === undefined
          ? {}
          : {
              'content-type': 'application/x-git-upload-pack-request',
              accept: 'application/x-git-upload-pack-result',
            }),
      },
      ...(body === undefined ? {} : { body }),
      ...(access.ca === undefined ? {} : { ca: access.ca }),
    });
  }

  /** Answers only with a success in Git's own content type. */
  function accepted(base: URL, answer: HttpAnswer, contentType: string): AsyncIterable<Buffer> {
    const given = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim();
    if (answer.status === 200 && given === contentType) return answer.body;
    answer.discard();
    const error = refusal(base, answer.status, answer.headers, access.credentials !== undefined);
    if (error.code === 'repository-auth-failed') authoriser.refused(access);
    throw error;
  }

  return {
    async greet() {
      let base = url;
      for (let redirects = 0; ; redirects += 1) {
        const target = new URL(`${base.href}/info/refs?service=git-upload-pack`);
        const answer = await send(target);
        const location = answer.status >= 300 && answer.status < 400 ? answer.headers.location : undefined;
        if (location === undefined) {
          return { base, body: accepted(base, answer, 'application/x-git-upload-pack-advertisement') };
        }
        answer.discard();
        base = redirectedBase(target, location, redirects);
      }
    },
    async request({ base }, body) {
      const answer = await send(new URL(`${base.href}/git-upload-pack`), body);
      return accepted(base, answer, 'application/x-git-upload-pack-result');
    },
  };
}

/** Credentials go to the registered origin only (NT-26). */
function redirectedBase(from: URL, location: string, redirects: number): URL {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to === undefined || to.origin !== from.origin || redirects >= REDIRECTS || !to.pathname.endsWith('/info/refs')) {
    throw new HawserError('repository-unreachable', `${from.host} redirects to ${printable(to?.origin ?? 'nowhere')}`, {
      hint: 'Register the address that the repository has now; redirects to other hosts are not followed.',
    });
  }
  const base = new URL(to.origin);
  base.pathname = to.pathname.slice(0, -'/info/refs'.length);
  return base;
}

/** Why an answer is none: FT-22, FT-23. */
function refusal(base: URL, status: number, headers: IncomingHttpHeaders, hasCredentials: boolean): HawserError {
  const retryAfterSeconds = retryAfter(headers);
  const isThrottled = status === 429 || (status === 403 && (retryAfterSeconds !== undefined || isSpent(headers)));
  const data = { status, host: base.host, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
  if (!isThrottled && [401, 403, 404, 407].includes(status)) {
    const what =
      status === 404
        ? 'has no such repository, or shows it to others only'
        : hasCredentials
          ? 'refuses these credentials'
          : 'wants credentials, and none are registered for this repository';
    return new HawserError('repository-auth-failed', `${base.host} ${what} (${status})`, {
      data,
      hint: 'Check the URL, and that the token is valid and may read this repository.',
    });
  }
  const given = printable(headers['content-type'] ?? 'no content type');
  const what = status === 200 ? `answered with ${given} instead of Git's protocol` : `answered with status ${status}`;
  const hint =
    status === 200
      ? 'Check that the URL is that of a Git repository; a maintenance or login page answers like this.'
      : '';
  return new HawserError('repository-unreachable', `${base.host} ${what}`, {
    retry: 'later',
    data,
    ...(hint === '' ? {} : { hint }),
  });
}

function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  const seconds = Math.ceil((Date.parse(value) - Date.parse(headers.date ?? '')) / 1000);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function isSpent(headers: IncomingHttpHeaders): boolean {
  return headers['x-ratelimit-remaining'] === '0';
}
