import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Json, JsonObject } from '#shared/domain/json.ts';
import { webhookProviders } from '#functions/webhook/webhook-providers.ts';
import { anEndpoint, fixtures, signature } from './deliveries.ts';

// Thousands of deliveries on a machine that has other things to do.
vi.setConfig({ testTimeout: 120_000 });

const providers = fc.constantFrom(...webhookProviders.keys());

/** A fixture in which one field, at any depth, is gone or is something else (NT-02). */
const damaged = fc
  .tuple(fc.constantFrom(...fixtures), fc.nat(), fc.nat())
  .map(([each, place, kind]) => ({ ...each, body: damage(each.body, place, kind) }));

describe('whatever is delivered', () => {
  it('is answered, never with 5xx, when it is signed (NT-02, FT-05)', async () => {
    await fc.assert(
      fc.asyncProperty(damaged, async ({ provider, headers, body }) => {
        const endpoint = anEndpoint();
        const text = JSON.stringify(body) ?? '';
        const response = await endpoint.deliver({
          provider,
          body: text,
          headers: { ...headers, ...signature(provider, text) },
        });
        expect(response.status).toBeLessThan(500);
        expect(response.status).toBeGreaterThanOrEqual(200);
      }),
      { numRuns: 2000 },
    );
  });

  it('is refused, unparsed, when it is not signed (NT-02)', async () => {
    await fc.assert(
      fc.asyncProperty(providers, fc.uint8Array({ maxLength: 200 }), anyHeaders(), async (provider, body, headers) => {
        const endpoint = anEndpoint();
        const parse = JSON.parse;
        let parsed = 0;
        JSON.parse = (...given) => {
          parsed += 1;
          return parse(...given) as Json;
        };
        try {
          const response = await endpoint.deliver({ provider, body, headers });
          expect(response.status).toBe(401);
          expect(parsed).toBe(0);
          expect(endpoint.hints).toEqual([]);
        } finally {
          JSON.parse = parse;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('never fails the service, with any bytes under any signature that fits', async () => {
    await fc.assert(
      fc.asyncProperty(providers, fc.uint8Array({ maxLength: 300 }), anyHeaders(), async (provider, body, headers) => {
        const endpoint = anEndpoint();
        const response = await endpoint.deliver({
          provider,
          body,
          headers: { ...headers, ...signature(provider, body) },
        });
        expect([200, 202, 400, 401, 415]).toContain(response.status);
      }),
      { numRuns: 2000 },
    );
  });

  it('never fails on a deeply nested body', async () => {
    const endpoint = anEndpoint();
    const body = '['.repeat(200_000) + ']'.repeat(200_000);
    const response = await endpoint.deliver({
      provider: 'azure-devops',
      body,
      headers: signature('azure-devops', body),
    });
    expect(response.status).toBe(202);
  });
});

/** Headers with the names that matter and any printable value, but never a proof. */
function anyHeaders(): fc.Arbitrary<Record<string, string>> {
  const value = fc.string({ maxLength: 80 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '?'));
  const names = [
    'x-hub-signature-256',
    'x-hub-signature',
    'x-gitlab-token',
    'x-gitlab-event',
    'x-github-event',
    'x-event-key',
    'authorization',
    'webhook-id',
    'webhook-signature',
    'x-gitea-signature',
    'x-hawser-event',
    'content-type',
  ];
  return fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 });
}

const replacements: (Json | undefined)[] = [
  undefined,
  null,
  '',
  0,
  -1,
  true,
  [],
  {},
  [[[[]]]],
  '\ud800',
  'x'.repeat(5000),
];

function damage(body: Json, place: number, kind: number): Json {
  const copy = structuredClone(body);
  const places: { holder: JsonObject; key: string }[] = [];
  collect(copy, places);
  if (places.length === 0) return copy;
  const { holder, key } = places[place % places.length]!;
  const value = replacements[kind % replacements.length];
  if (value === undefined) delete holder[key];
  else holder[key] = value;
  return copy;
}

function collect(value: Json, places: { holder: JsonObject; key: string }[]): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    places.push({ holder: value as JsonObject, key });
    collect((value as JsonObject)[key] ?? null, places);
  }
}
