import { LambdaClient } from '@aws-sdk/client-lambda';
import { createLambdaRenderer, renderClientSettings } from '#shared/adapters/aws/lambda-renderer.ts';
import { toolVersions } from '#shared/adapters/render/toolchain.ts';
import type { Renderer } from '#shared/ports/renderer.ts';
import type { Core } from './core.ts';

/** The renderer that hands bundles to `render-sandbox`. */
export function openRenderer({ log, settings }: Core<'renderFunction'>): Renderer {
  return createLambdaRenderer({
    client: new LambdaClient(renderClientSettings()),
    functionName: settings.renderFunction,
    versions: { ...toolVersions },
    log,
  });
}
