import { describe, expect, it } from 'vitest';
import { HawserError } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import { PublishJob } from '#shared/messages/publish-job.ts';
import { RenderJob } from '#shared/messages/render-job.ts';
import type { Queue } from '#shared/ports/queue.ts';
import type { RenderBundle, Renderer } from '#shared/ports/renderer.ts';
import { packBundles } from '#shared/state/bundle-codec.ts';
import type { InputChunks } from '#shared/state/chunks.ts';
import { createRenderHandler } from '#functions/render/handle-render-job.ts';
import { createFakeClock } from '#test/kit/clock.ts';
import { directoryBundle } from '#test/fixtures/render/bundles.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const noMetrics = { count: () => undefined, observe: () => undefined, gauge: () => undefined };

async function handled(
  bundles: RenderBundle[],
  render: Renderer['render'],
  receives = 1,
): Promise<{ sent: PublishJob[]; outputs: Map<string, Uint8Array>; error: unknown }> {
  const outputs = new Map<string, Uint8Array>();
  const chunks: InputChunks = {
    read: (organisation, digest) => Promise.resolve(outputs.get(`${organisation}/${digest}`)),
    write: (organisation, bytes) => {
      outputs.set(`${organisation}/${sha256(bytes)}`, bytes);
      return Promise.resolve(sha256(bytes));
    },
  };
  const bundle = await chunks.write('org', packBundles(bundles));
  const sent: PublishJob[] = [];
  const publishJobs = {
    send: (bodies: readonly string[]) =>
      Promise.resolve(void sent.push(...bodies.map((body) => PublishJob.parse(JSON.parse(body))))),
  } as unknown as Queue;
  const handle = createRenderHandler({
    chunks,
    renderer: { render } as Renderer,
    publishJobs,
    log: silent,
    metrics: noMetrics,
    clock: createFakeClock(),
  });
  const job = RenderJob.parse({
    organisation: 'org',
    application: 'shop',
    generation: 7,
    inputDigest: 'd',
    bundle,
    publish: { revision: 'r', dependsOn: [], initiatedBy: 'push', renderDigest: 'rd' },
    trace: 't',
    at: '2026-01-01T00:00:00Z',
  });
  const error: unknown = await handle(job, { signal: new AbortController().signal, receives }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { sent, outputs, error };
}

describe('a render job', () => {
  const one = directoryBundle({ 'a.yaml': 'a' });
  const two = directoryBundle({ 'b.yaml': 'b' });
  const echo: Renderer['render'] = ({ files }) =>
    Promise.resolve({ objects: [`{"name":"${files[0]?.path}"}`], warnings: [`w ${files[0]?.path}`] });

  it('becomes a publish job with the objects of all its sources, in their order', async () => {
    const { sent, outputs } = await handled([one, two], echo);
    expect(sent).toMatchObject([
      {
        organisation: 'org',
        application: 'shop',
        generation: 7,
        intent: { revision: 'r' },
        result: { status: 'rendered', warnings: ['w a.yaml', 'w b.yaml'] },
      },
    ]);
    const result = sent[0]?.result;
    const output = result?.status === 'rendered' ? outputs.get(`org/${result.output}`) : undefined;
    expect(Buffer.from(output ?? []).toString()).toBe('{"name":"a.yaml"}\n{"name":"b.yaml"}');
  });

  it('INV-35: renders every source as the organisation of the job, which no bundle can choose', async () => {
    const tenants: string[] = [];
    await handled([one, two], (bundle, call) => {
      tenants.push(call.tenant);
      return echo(bundle, call);
    });
    expect(tenants).toEqual(['org', 'org']);
  });

  it('FT-32: fails as a whole when one source fails, saying what to do', async () => {
    const { sent, error } = await handled([one, two], (bundle, call) =>
      bundle.files[0]?.path === 'b.yaml'
        ? Promise.reject(new HawserError('render-failed', 'b is broken', { hint: 'Mend it.' }))
        : echo(bundle, call),
    );
    expect(error).toBeUndefined();
    expect(sent).toMatchObject([
      { result: { status: 'failed', code: 'render-failed', message: 'b is broken. Mend it.' } },
    ]);
  });

  it('that ends its sandbox whenever it is tried is shown as failed, not tried for an hour (FT-14, FT-30)', async () => {
    const ended: Renderer['render'] = () =>
      Promise.reject(
        new HawserError('unavailable', 'the render sandbox ended without an answer', {
          retry: 'later',
          data: { ended: true },
        }),
      );
    expect(await handled([one], ended, 2)).toMatchObject({ sent: [], error: { retry: 'later' } });
    expect((await handled([one], ended, 3)).sent).toMatchObject([
      { result: { status: 'failed', message: 'the render sandbox ended without an answer' } },
    ]);
  });

  it('FT-30: is tried again, and publishes nothing, when the fault may pass', async () => {
    for (const fault of [
      new HawserError('unavailable', 'the render worker ended', { retry: 'later' }),
      new Error('unknown'),
    ]) {
      const { sent, error } = await handled([one], () => Promise.reject(fault));
      expect(sent).toEqual([]);
      expect(error).toBe(fault);
    }
  });
});
