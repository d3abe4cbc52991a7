import type { APIGatewayProxyEventV2 } from 'aws-lambda';

/** A request as it came in. */
export interface HttpRequest {
  method: string;
  /** Path and query as on the request line. */
  target: string;
  /** Name and value, as sent. */
  headers: readonly (readonly [name: string, value: string])[];
  body: Uint8Array;
  sourceIp: string;
}

/** What goes back to the client. */
export interface HttpAnswer {
  status: number;
  headers: [name: string, value: string][];
  body: Uint8Array;
}

/** A route of the API: which function answers. */
export interface Route {
  /** As API Gateway names it: `POST /webhooks/{provider}/{repository}`. */
  key: string;
  functionName: string;
}

/** Where a request goes, and what its path says. */
export interface Match {
  route: Route;
  parameters: Record<string, string>;
}

/** Content types whose bodies an HTTP API hands over as text; everything else comes in base64. */
const textTypes = /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:json|xml)\b|application\/javascript\b)/i;

/** The most specific route: routes are tried in order. undefined where there is none, which an HTTP API answers with 404. */
export function matchRoute(routes: readonly Route[], method: string, path: string): Match | undefined {
  for (const route of routes) {
    const [wanted = '', pattern = ''] = route.key.split(' ');
    if (wanted !== 'ANY' && wanted !== method) continue;
    const parameters = matchPath(pattern, path);
    if (parameters !== undefined) return { route, parameters };
  }
  return undefined;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const parameters: Record<string, string> = {};
  const parts = pattern.split('/').slice(1);
  const given = path.split('/').slice(1);
  for (const [index, part] of parts.entries()) {
    const name = /^\{(\w+)(\+?)\}$/.exec(part);
    const value = name?.[2] === '+' ? given.slice(index).join('/') : given[index];
    if (value === undefined || (name === null ? value !== part : value === '')) return undefined;
    if (name !== null) parameters[name[1] ?? ''] = value;
    if (name?.[2] === '+') return parameters;
  }
  return given.length === parts.length ? parameters : undefined;
}

/** The path as an HTTP API routes and hands it on: decoded, and cut at what then is a question mark. undefined where it cannot be decoded. */
export function decodedPath(target: string): string | undefined {
  const [path = '/'] = target.split('?');
  try {
    return decodeURIComponent(path).split('?')[0];
  } catch {
    return undefined;
  }
}

/**
 * The event of an HTTP API with payload format 2.0 (AWS: "Work with Lambda proxy integrations for HTTP APIs"): names in lower
 * case, repeated headers and query parameters joined with commas, cookies apart, `rawPath` decoded, the query string not.
 */
export function httpEventOf(
  request: HttpRequest,
  { route, parameters }: Match,
  facts: { requestId: string; now: number; account: string },
): APIGatewayProxyEventV2 {
  const { headers, cookies } = readHeaders(request);
  const path = decodedPath(request.target) ?? '/';
  const query = request.target.includes('?') ? request.target.slice(request.target.indexOf('?') + 1) : '';
  const host = headers['host'] ?? '';
  const text = textTypes.test(headers['content-type'] ?? '');
  return {
    version: '2.0',
    routeKey: route.key,
    rawPath: path,
    rawQueryString: query,
    ...(cookies.length === 0 ? {} : { cookies }),
    headers,
    ...(query === '' ? {} : { queryStringParameters: readQuery(query) }),
    ...(Object.keys(parameters).length === 0 ? {} : { pathParameters: parameters }),
    requestContext: {
      accountId: facts.account,
      apiId: 'local',
      domainName: host,
      domainPrefix: host.split('.')[0] ?? '',
      http: {
        method: request.method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: facts.requestId,
      routeKey: route.key,
      stage: '$default',
      time: clfTime(facts.now),
      timeEpoch: facts.now,
    },
    ...(request.body.length === 0 ? {} : { body: Buffer.from(request.body).toString(text ? 'utf8' : 'base64') }),
    isBase64Encoded: request.body.length > 0 && !text,
  };
}

function readHeaders(request: HttpRequest): { headers: Record<string, string>; cookies: string[] } {
  const headers: Record<string, string> = {};
  const cookies: string[] = [];
  for (const [name, value] of request.headers) {
    const key = name.toLowerCase();
    // Hop by hop: they end at the gateway.
    if (key === 'connection' || key === 'transfer-encoding' || key === 'keep-alive' || key === 'upgrade') continue;
    if (key === 'cookie') cookies.push(...value.split(';').map((cookie) => cookie.trim()));
    else headers[key] = headers[key] === undefined ? value : `${headers[key]},${value}`;
  }
  const port = /:(\d+)$/.exec(headers['host'] ?? '')?.[1] ?? '80';
  const before = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before === undefined ? request.sourceIp : `${before}, ${request.sourceIp}`;
  headers['x-forwarded-port'] = port;
  headers['x-forwarded-proto'] = 'http';
  headers['content-length'] = String(request.body.length);
  return { headers, cookies };
}

function readQuery(query: string): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query))
    parameters[name] = parameters[name] === undefined ? value : `${parameters[name]},${value}`;
  return parameters;
}

/** `21/Nov/2026:10:57:29 +0000` */
function clfTime(now: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(now).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
}

/**
 * What a function's answer (JSON text) means for the client. An object with `statusCode` is taken as it is; anything else is the
 * body of a 200 with JSON, as payload format 2.0 infers. undefined where it is no answer: the gateway then says 500.
 */
export function httpAnswerOf(payload: string): HttpAnswer | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const given = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {};
  if (given['statusCode'] === undefined) {
    const text = typeof answer === 'string' ? answer : payload;
    return { status: 200, headers: [['content-type', 'application/json']], body: Buffer.from(text) };
  }
  const status = Number(given['statusCode']);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  const body = given['body'] ?? '';
  if (typeof body !== 'string') return undefined;
  const headers = Object.entries((given['headers'] ?? {}) as Record<string, unknown>).map(
    ([name, value]): [string, string] => [name.toLowerCase(), String(value)],
  );
  const cookies = Array.isArray(given['cookies']) ? given['cookies'].map(String) : [];
  return {
    status,
    headers: [...headers, ...cookies.map((cookie): [string, string] => ['set-cookie', cookie])],
    body: Buffer.from(body, given['isBase64Encoded'] === true ? 'base64' : 'utf8'),
  };
}

/** An answer of the gateway itself. */
export function gatewayAnswer(status: number, message: string): HttpAnswer {
  const body = Buffer.from(JSON.stringify({ message }));
  return { status, headers: [['content-type', 'application/json']], body };
}
