// First, so that nothing else is loaded while the environment still holds anything.
import { sandboxSettings } from './render-sandbox-environment.ts';
import middy from '@middy/core';
import type { SandboxAnswer, SandboxRequest } from '#shared/messages/render-sandbox.ts';
import { openSandbox } from './render-sandbox-job.ts';

const render = await openSandbox(sandboxSettings);

/** A bundle in, objects out: no credentials, no network, no store, no log. What a chart can reach is its own bundle. */
export const handler = middy<SandboxRequest, SandboxAnswer>((request: SandboxRequest) => render(request));
