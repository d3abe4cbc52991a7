import { chmod, copyFile, link, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { bundleRenderSandbox } from '#infra/build/bundle-render.ts';
import {
  createLambdaRenderer,
  renderClientSettings,
  type LambdaRendererDeps,
} from '#shared/adapters/aws/lambda-renderer.ts';
import { prepareToolchain, toolVersions } from '#shared/adapters/render/toolchain.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Renderer } from '#shared/ports/renderer.ts';

/** Builds the sandbox's package and lays out its layers below `folder`, as infra deploys them. */
export async function buildSandbox(folder: string, kustomize?: string): Promise<{ task: string; layers: string }> {
  const [task, layers] = [join(folder, 'task'), join(folder, 'opt')];
  const tools = await prepareToolchain({ cacheDir: join(tmpdir(), 'hawser-test-tools') });
  await bundleRenderSandbox(task);
  await lay(tools.helm, join(layers, 'helm'), 'helm');
  await lay(tools.kubectl, join(layers, 'kubectl'), 'kubectl');
  if (kustomize !== undefined) await lay(kustomize, join(layers, 'kustomize'), 'kustomize');
  return { task, layers };
}

async function lay(source: string, folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const target = join(folder, name);
  await link(source, target).catch(() => copyFile(source, target));
  await chmod(target, 0o755);
}

/** The renderer that `functions/render` has on AWS, with its Lambda API at `url`. */
export function rendererAt(url: string, log: Log, rest: Partial<LambdaRendererDeps> = {}): Renderer {
  const client = new LambdaClient({
    ...renderClientSettings(),
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  return createLambdaRenderer({ client, functionName: 'render-sandbox', versions: { ...toolVersions }, log, ...rest });
}
