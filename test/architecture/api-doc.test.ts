import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createApiApp } from '#functions/api/app.ts';
import type { ApiDeps } from '#functions/api/context.ts';
import { root } from './source-tree.ts';

// Routes are only described here, never called: nothing that the app is given is used.
const app = createApiApp({ version: '0.0.0' } as ApiDeps);
const document = readFileSync(join(root, 'functions/api/README.md'), 'utf8');

interface OpenApi {
  paths: Record<
    string,
    Record<
      string,
      { summary?: string; responses?: Record<string, unknown>; parameters?: { name: string; in: string }[] }
    >
  >;
}

async function description(): Promise<OpenApi> {
  return (await (await app.request('/api/v1/openapi.json')).json()) as OpenApi;
}

describe('the API', () => {
  it('has exactly the routes that functions/api/README.md lists', async () => {
    const { paths } = await description();
    const real = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const listed = new Set(
      document
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .flatMap((line) => routesIn(line)),
    );
    const underApi = [...listed].filter((route) => route.includes(' /api/v1/') && !/\/(openapi\.json)?$/.test(route));

    expect(real.toSorted()).toEqual(underApi.toSorted());
  });

  it('describes every route: a summary, its path parameters, and what goes wrong', async () => {
    const { paths } = await description();
    const poor = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const parameters = new Set(
          (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name),
        );
        const missing = [...path.matchAll(/\{(\w+)\}/g)]
          .map((match) => match[1] ?? '')
          .filter((name) => !parameters.has(name));
        const problems = [
          ...((operation.summary ?? '') === '' ? ['no summary'] : []),
          ...(operation.responses?.['4XX'] === undefined ? ['no 4XX'] : []),
          ...missing.map((name) => `parameter ${name} is not described`),
        ];
        return problems.map((problem) => `${method.toUpperCase()} ${path}: ${problem}`);
      }),
    );

    expect(poor).toEqual([]);
  });

  it('answers unknown paths with a problem document', async () => {
    const response = await app.request('/api/v1x');

    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  });
});

describe('the reader of the route table', () => {
  it('understands its short forms', () => {
    expect(routesIn('| `POST /a/{id}/suspend?x`, `/resume` | 202 `Accepted` |')).toEqual([
      'POST /a/{id}/suspend',
      'POST /a/{id}/resume',
    ]);
    expect(routesIn('| `GET /a`, `POST` `{x}`, `DELETE …/{id}` | `POST` answers |')).toEqual([
      'GET /a',
      'POST /a',
      'DELETE /a/{id}',
    ]);
    expect(routesIn('| `GET /a/{kind}` | one: `GET …/{kind}/{name}` |')).toEqual([
      'GET /a/{kind}',
      'GET /a/{kind}/{name}',
    ]);
  });
});

/** `GET /path?query`, then for the same row: another `METHOD`, `METHOD …/below`, or `/last` in place of the last segment. */
function routesIn(row: string): string[] {
  const routes = new Set<string>();
  let method = '';
  let base = '';
  for (const [, span = ''] of row.replaceAll('\\|', '/').matchAll(/`([^`]+)`/g)) {
    const [, verb, target = ''] = /^(GET|POST|PUT|PATCH|DELETE)?\s?((?:…?\/\S*)?)$/.exec(span) ?? [];
    if (verb === undefined && target === '') continue;
    method = verb ?? method;
    const path = target.split('?')[0] ?? '';
    if (path.startsWith('…')) routes.add(`${method} ${below(base, path.slice(1))}`);
    else if (verb === undefined && base !== '' && !path.startsWith('/api'))
      routes.add(`${method} ${base.replace(/\/[^/]+$/, path)}`);
    else {
      if (path !== '') base = path;
      routes.add(`${method} ${base}`);
    }
  }
  return [...routes];
}

/** `/a/{kind}` and `/{kind}/{name}` give `/a/{kind}/{name}`. */
function below(base: string, path: string): string {
  const last = base.slice(base.lastIndexOf('/'));
  return path.startsWith(`${last}/`) ? base + path.slice(last.length) : base + path;
}
