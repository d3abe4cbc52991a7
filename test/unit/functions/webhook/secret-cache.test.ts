import { describe, expect, it } from 'vitest';
import { createSecretCache } from '#functions/webhook/secret-cache.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { anEndpoint, fixture, repository, secret, signature } from './deliveries.ts';

function world(secrets: Record<string, string[] | undefined> = { demo: ['old'] }) {
  const reads: string[] = [];
  const clock = createFakeClock();
  let failure: Error | undefined;
  const cache = createSecretCache({
    clock,
    async read(id) {
      reads.push(id);
      if (failure !== undefined) throw failure;
      return secrets[id];
    },
  });
  return { cache, clock, reads, secrets, fail: (error: Error | undefined) => void (failure = error) };
}

describe('secrets of webhooks', () => {
  it('are read once a minute, whoever asks how often', async () => {
    const { cache, clock, reads } = world();

    await Promise.all(Array.from({ length: 100 }, () => cache.find('demo')));
    await clock.advance(59_000);
    expect(await cache.find('demo')).toEqual(['old']);
    expect(reads).toHaveLength(1);
    await clock.advance(1000);
    await cache.find('demo');
    expect(reads).toHaveLength(2);
  });

  it('are read anew for who was refused, at most every five seconds (FT-07)', async () => {
    const { cache, clock, reads, secrets } = world();
    await cache.find('demo');
    secrets['demo'] = ['new'];

    expect(await cache.findAgain('demo')).toEqual(['old']);
    await clock.advance(5000);
    expect(await Promise.all([cache.findAgain('demo'), cache.findAgain('demo')])).toEqual([['new'], ['new']]);
    expect(await cache.find('demo')).toEqual(['new']);
    expect(reads).toHaveLength(2);
  });

  it('are not kept where there are none, or where they could not be read', async () => {
    const { cache, secrets, fail, reads } = world({});
    expect(await cache.find('demo')).toBeUndefined();
    secrets['demo'] = ['new'];
    fail(new Error('throttled'));
    await expect(cache.find('demo')).rejects.toThrow('throttled');
    fail(undefined);
    expect(await cache.find('demo')).toEqual(['new']);
    expect(reads).toHaveLength(3);
  });

  it('take a bounded amount of memory', async () => {
    const secrets = Object.fromEntries(Array.from({ length: 6000 }, (_, index) => [`r${index}`, ['s']]));
    const { cache, reads } = world(secrets);
    for (const id of Object.keys(secrets)) await cache.find(id);

    await cache.find('r5999');
    expect(reads).toHaveLength(6000);
    await cache.find('r0');
    expect(reads).toHaveLength(6001);
  });
});

describe('a delivery that does not fit what is kept', () => {
  const body = JSON.stringify(fixture('github-push').body);
  const delivery = {
    provider: 'github',
    body,
    headers: { ...fixture('github-push').headers, ...signature('github', body) },
  };
  const token = { provider: 'gitlab', body, headers: { ...fixture('gitlab-push').headers, 'x-gitlab-token': secret } };

  it.each([
    ['a signature', delivery],
    ['a token', token],
  ])('is accepted where %s fits what is true now (FT-07)', async (_, given) => {
    const asked: string[] = [];
    const endpoint = anEndpoint({
      secrets: ['before'],
      findSecretsAgain: async (id) => {
        asked.push(id);
        return [secret];
      },
    });

    expect((await endpoint.deliver(given)).status).toBe(202);
    expect(asked).toEqual([repository]);
  });

  it('is refused where nothing fits, or the repository has gone', async () => {
    for (const now of [['other'], undefined]) {
      const endpoint = anEndpoint({ secrets: ['before'], findSecretsAgain: async () => now });
      expect((await endpoint.deliver(delivery)).status).toBe(401);
      expect(endpoint.hints).toEqual([]);
    }
  });

  it('is refused for now, before the Git host gives up, where the secret store does not answer', async () => {
    const endpoint = anEndpoint({ findSecrets: () => new Promise(() => undefined) });
    const answering = endpoint.deliver(delivery);
    await endpoint.clock.advance(3000);
    expect((await answering).status).toBe(503);
  });

  it('is refused for now where the secrets cannot be read', async () => {
    const findSecretsAgain = () => Promise.reject(new Error('throttled'));
    const endpoint = anEndpoint({ secrets: ['before'], findSecretsAgain });
    expect((await endpoint.deliver(delivery)).status).toBe(503);
  });
});

describe('a push that the queue does not take', () => {
  const body = JSON.stringify(fixture('github-push').body);
  const delivery = {
    provider: 'github',
    body,
    headers: { ...fixture('github-push').headers, ...signature('github', body) },
  };

  it.each([
    ['refuses', () => Promise.reject(new Error('throttled'))],
    ['does not answer', () => new Promise<void>(() => undefined)],
  ])('is accepted where the queue %s and the repository could be marked (FT-04)', async (_, enqueue) => {
    const marked: unknown[] = [];
    const endpoint = anEndpoint({ enqueue, markDirty: async (hint) => void marked.push(hint) });

    const answering = endpoint.deliver(delivery);
    await endpoint.clock.advance(1000);

    expect((await answering).status).toBe(202);
    expect(marked).toEqual([{ repository, trace: 'trace-1' }]);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('no table'))],
    ['does not answer', () => new Promise<void>(() => undefined)],
  ])('is refused within two seconds where marking %s too (FT-04)', async (_, markDirty) => {
    const endpoint = anEndpoint({ enqueue: () => new Promise(() => undefined), markDirty });

    const answering = endpoint.deliver(delivery);
    await endpoint.clock.advance(2000);

    expect((await answering).status).toBe(503);
  });

  it('marks nothing where the queue took it', async () => {
    const endpoint = anEndpoint({ markDirty: () => Promise.reject(new Error('not needed')) });
    expect((await endpoint.deliver(delivery)).status).toBe(202);
  });
});
