import type { InvokeCommandOutput } from '@aws-sdk/client-lambda';
import { HawserError } from '../../errors.ts';
import { sandboxPayloadLimit } from '../../domain/render-payload.ts';

/**
 * What Lambda says in place of an answer of `render-sandbox`, as a HawserError; undefined where the function answered.
 * A time or a size that was passed is `render-limit` and never tried again: the same bundle would pass it again. An
 * environment that ended is `unavailable` with `data.ended`: the next one is new. The payload is
 * `{ errorType, errorMessage }` (Lambda developer guide, «Invocation errors»; timeouts had no errorType before 2024).
 */
export function functionError(output: InvokeCommandOutput): HawserError | undefined {
  if (output.FunctionError === undefined) return undefined;
  const { errorType, errorMessage } = detailsOf(output);
  const data = {
    error: errorType,
    ...(output.$metadata.requestId === undefined ? {} : { requestId: output.$metadata.requestId }),
  };

  if (errorType === 'Sandbox.Timedout' || /Task timed out after/.test(errorMessage)) {
    const seconds = Number(/timed out after ([\d.]+) seconds/.exec(errorMessage)?.[1] ?? Number.NaN);
    const within = Number.isNaN(seconds) ? '' : ` (${seconds} s)`;
    return new HawserError('render-limit', `rendering took longer than the render function may run${within}`, {
      data: { ...data, limit: 'wallClock', ...(Number.isNaN(seconds) ? {} : { value: seconds * 1000 }) },
      hint: 'Make the chart or kustomization smaller, or look for a loop in a template.',
    });
  }
  if (errorType === 'Runtime.OutOfMemory' || /signal: killed|out of memory/i.test(errorMessage)) {
    return new HawserError('render-limit', 'rendering needed more memory than the render function has', {
      data: { ...data, limit: 'memory' },
      hint: 'Look for a template that builds a very long list or string.',
    });
  }
  if (errorType === 'Function.ResponseSizeTooLarge') {
    return new HawserError('render-limit', 'the rendered objects are larger than what Lambda answers (6 MiB)', {
      data: { ...data, limit: 'response', value: sandboxPayloadLimit },
      hint: 'Split the application.',
    });
  }
  if (/^Runtime\.(ExitError|ExitStatusError|Unknown)$/.test(errorType)) {
    return new HawserError('unavailable', `the render sandbox ended without an answer: ${errorMessage}`, {
      retry: 'later',
      data: { ...data, ended: true },
    });
  }
  return new HawserError('unavailable', `the render sandbox does not work: ${errorType}: ${errorMessage}`, {
    retry: 'later',
    data,
    hint: 'See that render-sandbox is deployed whole: its bundle, the layers with helm, kubectl and kustomize, and x86_64.',
  });
}

function detailsOf(output: InvokeCommandOutput): { errorType: string; errorMessage: string } {
  const text = output.Payload?.transformToString() ?? '';
  try {
    const { errorType = '', errorMessage = '' } = JSON.parse(text) as { errorType?: unknown; errorMessage?: unknown };
    return { errorType: String(errorType).slice(0, 100), errorMessage: String(errorMessage).slice(0, 500) };
  } catch {
    return { errorType: 'Unknown', errorMessage: text.slice(0, 500) };
  }
}
